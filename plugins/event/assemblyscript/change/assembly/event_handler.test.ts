import { events, plugin } from "../vendor/teleport";
import { getFixtureAsHandleEventRequest } from "../vendor/test";
import { handleEvent } from "./index";

// Fixture 3: foo asks for the role admin.
export function test(): void {
  const request = getFixtureAsHandleEventRequest(3);

  const response = plugin.HandleEventResponse.decode(handleEvent(request));
  assert(response.Event.AccessRequestCreate != null, "AccessRequestCreate is missing");

  const accessRequest = response.Event.AccessRequestCreate as events.AccessRequestCreate;
  const annotations = accessRequest.Annotations.fields;
  assert(annotations.has("seen-by-us"), "seen-by-us annotation is not set");
  assert(annotations.get("seen-by-us").string_value == "yes", "seen-by-us has another value");
  assert(annotations.get("ticket").string_value == "OPS-1", "The other annotation is lost");
}
