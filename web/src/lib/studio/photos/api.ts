/** An event's photos as those who run it see them, and what they do with them. All throw Problem. */
import {
  api,
  ask,
  askWhole,
  type EventGuest,
  type FaceBox,
  type FaceInPhoto,
  type PhotoGuest,
  type PhotographerPhoto,
} from "#lib/api/client.ts";
import { nextCursor } from "#lib/gallery/api.ts";
import type { FetchPage } from "#lib/gallery/list.svelte.ts";
import { photoOf, type Photo } from "#lib/gallery/photo.ts";

export interface StudioPhoto extends Photo {
  status: PhotographerPhoto["processing_status"];
  /** Why it failed, as the server says it. */
  error: string | null;
  /** What is wrong with one that is shown all the same, as the server says it. */
  note: string | null;
  /** Whether everybody sees it; null leaves it to the event. */
  shown: boolean | null;
}

export function studioPhotoOf(one: PhotographerPhoto): StudioPhoto {
  return {
    ...photoOf(one),
    status: one.processing_status,
    error: one.processing_error,
    note: one.processing_note,
    shown: one.show_in_general,
  };
}

export function photosOfEvent(eventId: number): FetchPage<StudioPhoto> {
  return async (limit, cursor) => {
    const { data, response } = await askWhole(
      api.GET("/api/photographer/events/{event_id}/photos", {
        params: { path: { event_id: eventId }, query: cursor ? { limit, cursor } : { limit } },
      }),
    );
    return {
      photos: data.map(studioPhotoOf),
      cursor: nextCursor(response.headers.get("Link")),
    };
  };
}

/** Of the server: what is named in one address, and in one body. */
const MOST_IN_ADDRESS = 500;
const MOST_IN_BODY = 5000;

export async function showPhotos(ids: readonly number[], show: boolean | null): Promise<void> {
  for (const photo_ids of parts(ids, MOST_IN_BODY)) {
    await ask(
      api.PUT("/api/photos/bulk/show-in-general", { body: { photo_ids, show_in_general: show } }),
    );
  }
}

export async function deletePhotos(ids: readonly number[]): Promise<void> {
  for (const part of parts(ids, MOST_IN_ADDRESS)) {
    await ask(api.DELETE("/api/photos", { params: { query: { photo_ids: part.join(",") } } }));
  }
}

/** Have failed photos analysed again, all without ids; return how many. */
export async function analyseAgain(eventId: number, ids?: readonly number[]): Promise<number> {
  const answer = await ask(
    api.POST("/api/photographer/events/{event_id}/photos/analyse-again", {
      params: { path: { event_id: eventId } },
      body: { photo_ids: ids ? [...ids] : null },
    }),
  );
  return answer.scheduled;
}

export interface WhoIsInPhoto {
  faces: readonly FaceInPhoto[];
  guests: readonly PhotoGuest[];
}

export async function whoIsIn(eventId: number, photoId: number): Promise<WhoIsInPhoto> {
  const [faces, guests] = await Promise.all([
    ask(api.GET("/api/photo/{photo_id}/faces", { params: { path: { photo_id: photoId } } })),
    ask(
      api.GET("/api/photographer/events/{event_id}/photos/{photo_id}/guests", {
        params: { path: { event_id: eventId, photo_id: photoId } },
      }),
    ),
  ]);
  return { faces: faces.boxes, guests };
}

/** Whose face it is, if a guest was found by it. */
export function guestOf(face: FaceBox, guests: readonly PhotoGuest[]): PhotoGuest | undefined {
  const isSame = (box: FaceBox): boolean =>
    box.left === face.left && box.top === face.top && box.width === face.width;
  return guests.find((guest) => guest.box && isSame(guest.box));
}

export function guestsOf(eventId: number): Promise<EventGuest[]> {
  return ask(
    api.GET("/api/photographer/events/{event_id}/guests", {
      params: { path: { event_id: eventId } },
    }),
  );
}

export async function addGuest(eventId: number, photoId: number, userId: number): Promise<void> {
  await ask(
    api.POST("/api/photographer/events/{event_id}/photos/{photo_id}/guests", {
      params: { path: { event_id: eventId, photo_id: photoId } },
      body: { user_id: userId },
    }),
  );
}

/** Say that it is not this guest, or take that back. */
export async function sayNotThem(
  eventId: number,
  photoId: number,
  userId: number,
  isUndone = false,
): Promise<void> {
  const params = { path: { event_id: eventId, photo_id: photoId, user_id: userId } };
  const path = "/api/photographer/events/{event_id}/photos/{photo_id}/guests/{user_id}/not-them";
  await ask(isUndone ? api.DELETE(path, { params }) : api.PUT(path, { params }));
}

function* parts(ids: readonly number[], most: number): Generator<number[]> {
  for (let at = 0; at < ids.length; at += most) yield ids.slice(at, at + most);
}
