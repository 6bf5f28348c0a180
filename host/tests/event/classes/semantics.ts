// What the classes promise to authors. Each `test_…` is one promise.

import "../vendor/env";
import { Reader, Writer } from "../vendor/protobuf";
import { events, google, plugin, types } from "../vendor/teleport";

function again(event: events.OneOf): events.OneOf {
  return events.OneOf.decode(event.encode());
}

function login(user: string): events.OneOf {
  const login = new events.UserLogin();
  login.User.User = user;
  const event = new events.OneOf();
  event.UserLogin = login;
  return event;
}

export function test_setting_a_case_clears_the_others(): void {
  const event = login("ann");
  assert(event.type == "UserLogin");
  event.UserCreate = new events.UserCreate();
  assert(event.type == "UserCreate" && event.UserLogin == null && event.UserCreate != null);
  event.UserLogin = null;
  assert(event.type == "UserCreate");
  event.UserCreate = null;
  assert(event.type == "" && event.UserCreate == null && event.size() == 0);
}

export function test_a_case_without_fields_is_still_that_case(): void {
  const event = new events.OneOf();
  event.UserLogin = new events.UserLogin();
  assert(again(event).type == "UserLogin");
}

export function test_scalar_members_are_told_from_unset_ones(): void {
  const value = new google.protobuf.Value();
  assert(value.type == "" && value.string_value == "");
  value.number_value = 0;
  value.string_value = "";
  const copy = google.protobuf.Value.decode(value.encode());
  assert(copy.type == "string_value" && copy.number_value == 0);
  copy.bool_value = true;
  assert(copy.type == "bool_value" && copy.string_value == "" && copy.bool_value);
  copy.list_value = new google.protobuf.ListValue();
  assert(copy.type == "list_value" && !copy.bool_value);
}

export function test_reading_an_absent_message_does_not_make_it_present(): void {
  const copy = again(login("ann"));
  const event = copy.UserLogin as events.UserLogin;
  const before = copy.size();
  assert(event.User.TrustedDevice.device_id == "" && event.Status.Error == "");
  assert(!event.User.hasTrustedDevice && copy.size() == before);
  event.User.TrustedDevice.device_id = "d";
  assert(event.User.hasTrustedDevice && copy.size() > before);
  event.User.clearTrustedDevice();
  assert(!event.User.hasTrustedDevice && copy.size() == before);
}

export function test_an_empty_message_that_was_set_or_sent_stays(): void {
  const event = new events.UserLogin();
  event.Status = new events.Status();
  assert(event.hasStatus && events.UserLogin.decode(event.encode()).hasStatus);
  const copy = events.UserLogin.decode(event.encode());
  assert(copy.Status.Error == "" && events.UserLogin.decode(copy.encode()).hasStatus);
}

export function test_a_change_deep_down_is_written_and_the_rest_kept(): void {
  const first = login("ann");
  (first.UserLogin as events.UserLogin).Method = "local";
  const event = again(first);
  (event.UserLogin as events.UserLogin).User.Login = "root";
  const copy = again(event).UserLogin as events.UserLogin;
  assert(copy.User.User == "ann" && copy.User.Login == "root" && copy.Method == "local");
}

export function test_text_can_be_emptied(): void {
  const event = again(login("ann"));
  const user = (event.UserLogin as events.UserLogin).User;
  assert(user.User == "ann");
  user.User = "";
  assert(user.User == "" && (again(event).UserLogin as events.UserLogin).User.User == "");
}

export function test_bytes_that_were_read_can_be_changed_in_place(): void {
  const print = new events.SessionPrint();
  print.Data = Uint8Array.wrap(String.UTF8.encode("abc"));
  const copy = events.SessionPrint.decode(print.encode());
  copy.Data[1] = 0xff;
  const data = events.SessionPrint.decode(copy.encode()).Data;
  assert(data.length == 3 && data[0] == 0x61 && data[1] == 0xff);
}

export function test_lists_and_maps_can_be_changed_and_replaced(): void {
  const event = new events.AccessRequestCreate();
  event.Roles.push("a");
  event.Roles = event.Roles.concat(["b", ""]);
  const value = new google.protobuf.Value();
  value.string_value = "yes";
  event.Annotations.fields.set("seen-by-us", value);
  const copy = events.AccessRequestCreate.decode(event.encode());
  assert(copy.Roles.length == 3 && copy.Roles[1] == "b" && copy.Roles[2] == "");
  assert(copy.Annotations.fields.get("seen-by-us").string_value == "yes");
  assert(copy.Annotations.fields.delete("seen-by-us"));
  assert(!events.AccessRequestCreate.decode(copy.encode()).Annotations.fields.size);
}

export function test_an_event_of_a_newer_host_is_kept(): void {
  const writer = new Writer();
  writer.raw(changetype<usize>("new"), 6);
  writer.close(4000, 0);
  const bytes = new DataView(writer.finish());
  const event = events.OneOf.decode(bytes);
  assert(event.type == "");
  const response = new plugin.HandleEventResponse();
  response.Event = event;
  const copy = plugin.HandleEventResponse.decode(response.encode()).Event.encode();
  assert(copy.byteLength == bytes.byteLength);
  for (let i = 0; i < copy.byteLength; i++) assert(copy.getUint8(i) == bytes.getUint8(i));
}

export function test_unknown_fields_stand_beside_changed_ones(): void {
  const writer = new Writer();
  writer.text(2, "ann"); // UserMetadata.Login
  writer.int<u32>(7);
  writer.tag(3000, 0);
  writer.text(1, "old");
  writer.text(2000, "kept");
  const user = events.UserMetadata.decode(new DataView(writer.finish()));
  user.User = "new";
  const bytes = user.encode();
  const copy = new Reader(bytes.buffer, 0, bytes.byteLength);
  const seen = new Map<u32, string>();
  while (copy.next()) {
    if (copy.field == 3000) seen.set(copy.field, copy.int<i32>().toString());
    else seen.set(copy.field, copy.text());
  }
  assert(seen.get(1) == "new" && seen.get(2) == "ann");
  assert(seen.get(2000) == "kept" && seen.get(3000) == "7");
}

export function test_numbers_are_exact(): void {
  const event = new events.SessionEnd();
  event.Metadata.Index = i64.MIN_VALUE;
  event.StartTime.seconds = -62135596800;
  event.StartTime.nanos = 999999999;
  const copy = events.SessionEnd.decode(event.encode());
  assert(copy.Metadata.Index == i64.MIN_VALUE);
  assert(copy.StartTime.seconds == -62135596800 && copy.StartTime.nanos == 999999999);
}

export function test_half_a_surrogate_pair_is_replaced(): void {
  const lock = new types.LockV2();
  lock.Spec.Message = "a" + String.fromCharCode(0xd800) + "b";
  assert(types.LockV2.decode(lock.encode()).Spec.Message == "a\uFFFDb");
}

export function test_a_buffer_that_the_author_changes_after_decoding_cannot_be_read_past(): void {
  const bytes = login("ann").encode();
  const event = events.OneOf.decode(bytes);
  // The length of the case: still inside of the buffer, but not of what was there.
  bytes.setUint8(1, 0);
  assert((event.UserLogin as events.UserLogin).User.User == "");
}

export function test_a_large_message_grows_the_writer(): void {
  const event = login("x".repeat(100000));
  assert((again(event).UserLogin as events.UserLogin).User.User.length == 100000);
}

/** This must fail: the length of the case reaches out of the buffer. */
export function fail_cut_short(): void {
  const bytes = login("ann").encode();
  const event = events.OneOf.decode(bytes);
  bytes.setUint8(1, 0x7f);
  event.encode();
}

/** This must fail: the host could not read it. */
export function fail_nested_deeper_than_100_levels(): void {
  const root = new google.protobuf.Value();
  let value = root;
  for (let i = 0; i < 100; i++) {
    const list = new google.protobuf.ListValue();
    const inner = new google.protobuf.Value();
    list.values.push(inner);
    value.list_value = list;
    value = inner;
  }
  root.encode();
}
