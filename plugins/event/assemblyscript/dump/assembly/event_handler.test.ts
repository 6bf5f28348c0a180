import { events, plugin } from "../vendor/teleport";
import { getFixtureAsHandleEventRequest } from "../vendor/test";
import { handleEvent } from "./index";

// Fixture 1: the user foo is created.
export function test(): void {
  const request = getFixtureAsHandleEventRequest(1);

  const response = plugin.HandleEventResponse.decode(handleEvent(request));
  assert(response.Success, "The plugin failed: " + response.Error);
  assert(response.Event.UserCreate != null, "Event has changed");

  const userCreate = response.Event.UserCreate as events.UserCreate;
  assert(userCreate.User.Login == "foo", "Login has changed");
}
