/** An event's cameras, and their clocks. All throw Problem. */
import { api, ask, type EventCamera } from "#lib/api/client.ts";

export function camerasOf(eventId: number): Promise<EventCamera[]> {
  return ask(
    api.GET("/api/photographer/events/{event_id}/cameras", {
      params: { path: { event_id: eventId } },
    }),
  );
}

export function setClock(
  eventId: number,
  cameraId: number,
  shiftSeconds: number,
): Promise<EventCamera[]> {
  return ask(
    api.PUT("/api/photographer/events/{event_id}/cameras/{camera_id}/clock", {
      params: { path: { event_id: eventId, camera_id: cameraId } },
      body: { shift_seconds: shiftSeconds },
    }),
  );
}

/** What the camera calls itself: makers write their name into the model, or do not. */
export function nameOf({ make, model }: EventCamera): string {
  const isSaid = model.toLowerCase().startsWith(make.split(" ")[0]?.toLowerCase() ?? "");
  return isSaid && model ? model : `${make} ${model}`.trim();
}

/** Seconds of a camera's clock, which knows no zone: all are told as if they stood in one. */
export function secondsOf(moment: string): number {
  return Date.parse(`${moment}Z`) / 1000;
}

/** The same as fields for date and time have it. */
export function fieldOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

/** What the server takes: decades, as of a clock that was never set. */
export const MAX_SHIFT_SECONDS = 40 * 366 * 24 * 3600;

/** The nearest shift that the server takes. */
export function clamped(shiftSeconds: number): number {
  return Math.min(MAX_SHIFT_SECONDS, Math.max(-MAX_SHIFT_SECONDS, shiftSeconds));
}

/** Hours and minutes of a shift, both whole. */
export function hoursAndMinutes(shiftSeconds: number): [number, number] {
  const minutes = Math.round(Math.abs(shiftSeconds) / 60);
  return [Math.floor(minutes / 60), minutes % 60];
}
