import { events, google, plugin } from "../vendor/teleport";

// Labels all access requests with "seen-by-us".
export function handleEvent(request: plugin.HandleEventRequest): plugin.HandleEventResponse {
  const event = request.Event;
  const response = new plugin.HandleEventResponse();

  if (event.AccessRequestCreate != null) {
    const accessRequest = event.AccessRequestCreate as events.AccessRequestCreate;

    const value = new google.protobuf.Value();
    value.string_value = "yes";

    accessRequest.Annotations.fields.set("seen-by-us", value);
  }

  // Pass the event on
  response.Event = event;
  response.Success = true;
  return response;
}
