import { events, plugin } from "../vendor/teleport";

// Skips the logins of secret-santa.
export function handleEvent(request: plugin.HandleEventRequest): plugin.HandleEventResponse {
  const event = request.Event;
  const response = new plugin.HandleEventResponse();

  // If this is a login
  if (event.UserLogin != null) {
    const login = event.UserLogin as events.UserLogin;

    // and it is secret-santa's, answer without an event
    if (login.User.Login == "secret-santa") {
      response.Success = true;
      return response;
    }
  }

  // Pass the event on
  response.Event = event;
  response.Success = true;
  return response;
}
