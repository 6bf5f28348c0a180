import { types } from "../vendor/teleport";
import { getFixtureAsHandleEventRequest, getLatestAPIRequest } from "../vendor/test";
import { handleEvent } from "./index";

// Fixture 4: foo fails to log in.
export function test(): void {
  const request = getFixtureAsHandleEventRequest(4);

  handleEvent(request);
  handleEvent(request);
  handleEvent(request);
  assert(getLatestAPIRequest() == null, "foo was locked after three failures");

  handleEvent(request);
  const apiRequest = getLatestAPIRequest();
  assert(apiRequest != null, "foo was not locked after four failures");

  const lock = types.LockV2.decode(apiRequest);
  assert(lock.Spec.Target.Login == "foo", "Another login was locked: " + lock.Spec.Target.Login);
  assert(lock.Spec.Message == "Suspicious login activity", "Another message: " + lock.Spec.Message);
}
