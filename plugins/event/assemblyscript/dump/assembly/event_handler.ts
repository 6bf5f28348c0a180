import { plugin } from "../vendor/teleport";

// Logs the type of every event.
export function handleEvent(request: plugin.HandleEventRequest): plugin.HandleEventResponse {
  const event = request.Event;
  const response = new plugin.HandleEventResponse();

  trace("Event of type " + event.type + " received");

  // Pass the event on
  response.Event = event;
  response.Success = true;
  return response;
}
