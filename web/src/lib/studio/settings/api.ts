/** What is decided for an event. All throw Problem. */
import {
  api,
  ask,
  type EventSettings,
  type EventSettingsChange,
  type ThresholdPreview,
} from "#lib/api/client.ts";

export function settingsOf(eventId: number): Promise<EventSettings> {
  return ask(
    api.GET("/api/photographer/events/{event_id}/settings", {
      params: { path: { event_id: eventId } },
    }),
  );
}

/** Change what is named, and nothing else. */
export function changeSettings(
  eventId: number,
  change: EventSettingsChange,
): Promise<EventSettings> {
  return ask(
    api.PATCH("/api/photographer/events/{event_id}/settings", {
      params: { path: { event_id: eventId } },
      body: change,
    }),
  );
}

export async function changeDuplicates(
  eventId: number,
  duplicates: EventSettings["duplicates"],
): Promise<void> {
  await ask(
    api.PUT("/api/photographer/events/{event_id}/upload-settings", {
      params: { path: { event_id: eventId } },
      body: { duplicates },
    }),
  );
}

export async function deleteEvent(eventId: number): Promise<void> {
  await ask(
    api.DELETE("/api/photographer/events/{event_id}", {
      params: { path: { event_id: eventId } },
    }),
  );
}

/** How alike a face must be: three words for a number of 60 to 100. */
export type Sureness = "more" | "balanced" | "only";
const THRESHOLDS: Record<Sureness, number> = { more: 80, balanced: 85, only: 90 };

export function surenessOf(threshold: number): Sureness {
  if (threshold < 82.5) return "more";
  return threshold > 87.5 ? "only" : "balanced";
}

export async function sureness(eventId: number): Promise<Sureness> {
  const params = { path: { event_id: eventId } };
  const path = "/api/photographer/events/{event_id}/match-threshold";
  return surenessOf((await ask(api.GET(path, { params }))).threshold);
}

export async function setSureness(eventId: number, sure: Sureness): Promise<void> {
  await ask(
    api.PUT("/api/photographer/events/{event_id}/match-threshold", {
      params: { path: { event_id: eventId } },
      body: { value: THRESHOLDS[sure] },
    }),
  );
}

export function previewSureness(eventId: number, sure: Sureness): Promise<ThresholdPreview> {
  return ask(
    api.GET("/api/photographer/events/{event_id}/match-threshold/preview", {
      params: { path: { event_id: eventId }, query: { value: THRESHOLDS[sure] } },
    }),
  );
}
