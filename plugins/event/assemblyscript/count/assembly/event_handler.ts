import { createLock } from "../vendor/api";
import * as store from "../vendor/store";
import { events, plugin } from "../vendor/teleport";

const maxFailedLoginAttempts = 3; // 3 tries
const failedAttemptsTimeout = 60 * 5; // within 5 minutes
const lockDuration = 60 * 60;

// Locks a user who fails to log in more than three times within five minutes.
export function handleEvent(request: plugin.HandleEventRequest): plugin.HandleEventResponse {
  const event = request.Event;
  const response = new plugin.HandleEventResponse();

  // If this is a login
  if (event.UserLogin != null) {
    const login = event.UserLogin as events.UserLogin;
    const user = login.User;

    // that was not successful, and it is known whose (Teleport leaves the login of its own users empty)
    if (!login.Status.Success && (user.User != "" || user.Login != "")) {
      // Record the attempt and get how many there were within the time frame for this user
      const count = store.takeToken(user.User + "\0" + user.Login, failedAttemptsTimeout);

      // If the limit is exceeded
      if (count > maxFailedLoginAttempts) {
        trace("Suspicious login activity detected, attempts made:", 1, count);

        createLock(user, lockDuration, "Suspicious login activity");
      }
    }
  }

  // Pass the event on
  response.Event = event;
  response.Success = true;
  return response;
}
