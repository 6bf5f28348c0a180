// For tests: what `host test` lends them beside the host functions of production. Its API is a mock
// whose calls all succeed.

import { takeBytes } from "./memory";
import { Writer } from "./protobuf";

// @ts-ignore: decorator
@external("extism:host/user", "test_fixture")
declare function testFixture(number: i64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "test_latest_api_request")
declare function testLatestAPIRequest(): u64;
// @ts-ignore: decorator
@external("extism:host/user", "test_alert")
declare function testAlert(index: i64): u64;

/** The event of fixtures/<number>-….json, an `events.OneOf`. */
export function getFixture(number: i32): DataView {
  const fixture = view(testFixture(number));
  if (fixture === null) throw new Error("there is no fixture " + number.toString());
  return fixture;
}

/** A `plugin.HandleEventRequest` with the event of fixtures/<number>-….json, as `handleEvent` gets it. */
export function getFixtureAsHandleEventRequest(number: i32): DataView {
  const fixture = getFixture(number);
  const writer = new Writer();
  writer.raw(fixture.dataStart, fixture.byteLength);
  writer.close(1, 0);
  return new DataView(writer.finish());
}

/** The lock that was upserted last in this test, a `types.LockV2`; null when there was none. */
export function getLatestAPIRequest(): DataView | null {
  return view(testLatestAPIRequest());
}

/** The alert that was sent as number `index` in this test, a `plugin.Alert`; 0 is the first. */
export function getAlert(index: i32): DataView | null {
  return view(testAlert(index));
}

function view(offset: u64): DataView | null {
  const bytes = takeBytes(offset);
  return bytes === null ? null : new DataView(bytes);
}
