// Between the host, which speaks protobuf, and the plugin in event_handler.ts. Nothing to change here.

import { plugin } from "../vendor/teleport";
import * as handler from "./event_handler";

export function handleEvent(request: DataView): DataView {
  return handler.handleEvent(plugin.HandleEventRequest.decode(request)).encode();
}
