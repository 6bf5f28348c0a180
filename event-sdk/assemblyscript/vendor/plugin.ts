// What the host calls: the entry of production.wasm. The author's part is assembly/index.ts.

import "./env";
import { handleEvent } from "../assembly/index";
import { input, output } from "./memory";
import { Reader, Writer } from "./protobuf";

/** One event. */
export function handle_event(): void {
  output(handleEvent(new DataView(input())));
}

/** Several at once: requests, and then answers, each with its length as a varint before it. */
export function handle_events(): void {
  const requests = input();
  const from = new Reader(requests, 0, requests.byteLength);
  const responses = new Array<DataView>();
  while (from.left) {
    const length = from.varint();
    const at = from.at;
    from.at = from.after(length);
    responses.push(handleEvent(new DataView(requests, at, <i32>length)));
  }
  const to = new Writer();
  for (let i = responses.length - 1; i >= 0; i--) {
    const response = responses[i];
    to.raw(response.dataStart, response.byteLength);
    to.varint(response.byteLength);
  }
  output(new DataView(to.finish()));
}
