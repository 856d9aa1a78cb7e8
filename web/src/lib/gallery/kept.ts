import type { JoinedEvent } from "#lib/api/client.ts";
import { EventGallery, type Ends } from "./gallery.svelte.ts";

let kept: { eventId: number; gallery: EventGallery } | undefined;

/** Return the gallery of an event: the one that was looked at before, where it was that event's. */
export function galleryOf(event: JoinedEvent, ends: Ends): EventGallery {
  if (kept?.eventId !== event.id)
    kept = { eventId: event.id, gallery: new EventGallery(event, ends) };
  return kept.gallery;
}

/** Somebody else may look next: nothing of this guest's stays. */
export function forgetGallery(): void {
  kept = undefined;
}
