import { plugin } from "../vendor/teleport";
import { getFixtureAsHandleEventRequest } from "../vendor/test";
import { handleEvent } from "./index";

// Fixture 2: secret-santa logs in.
export function test(): void {
  const request = getFixtureAsHandleEventRequest(2);

  const response = plugin.HandleEventResponse.decode(handleEvent(request));
  assert(response.Success, "The plugin failed: " + response.Error);
  assert(response.Event.type == "", "Event was not skipped");
}

// Fixture 4: foo fails to log in.
export function test_others_pass(): void {
  const request = getFixtureAsHandleEventRequest(4);

  const response = plugin.HandleEventResponse.decode(handleEvent(request));
  assert(response.Event.type == "UserLogin", "Event was skipped");
}
