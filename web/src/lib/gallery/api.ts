/** The lists of an event's photos, and what a guest says and takes of them. */
import { api, ask, askWhole, type UncertainPhoto } from "#lib/api/client.ts";
import type { FetchPage, Page } from "./list.svelte.ts";
import { photoOf, type Photo } from "./photo.ts";

export function photosOf(eventId: number, which: "own" | "all"): FetchPage {
  const path =
    which === "own"
      ? ("/api/user/events/{event_id}/photos" as const)
      : ("/api/user/events/{event_id}/all-photos" as const);
  return async (limit, cursor): Promise<Page> => {
    const { data, response } = await askWhole(
      api.GET(path, {
        params: { path: { event_id: eventId }, query: cursor ? { limit, cursor } : { limit } },
      }),
    );
    return { photos: data.map(photoOf), cursor: nextCursor(response.headers.get("Link")) };
  };
}

/** Return the cursor of a `Link` header's next page. */
export function nextCursor(link: string | null): string | null {
  const next = /<([^>]*)>\s*;\s*rel="next"/.exec(link ?? "")?.[1];
  return next ? new URL(next, "http://here").searchParams.get("cursor") : null;
}

export function uncertainOf(eventId: number): Promise<UncertainPhoto[]> {
  const path = { event_id: eventId };
  return ask(
    api.GET("/api/user/events/{event_id}/uncertain-photos", {
      params: { path, query: { limit: 100 } },
    }),
  );
}

export async function sayNotMe(photoId: number): Promise<void> {
  await ask(
    api.POST("/api/my-photos/{photo_id}/not-me", { params: { path: { photo_id: photoId } } }),
  );
}

export async function takeBackNotMe(photoId: number): Promise<void> {
  await ask(
    api.DELETE("/api/my-photos/{photo_id}/not-me", { params: { path: { photo_id: photoId } } }),
  );
}

export async function sayItsMe(photoId: number): Promise<void> {
  await ask(
    api.POST("/api/my-photos/{photo_id}/its-me", { params: { path: { photo_id: photoId } } }),
  );
}

export async function favouritesOf(eventId: number): Promise<Photo[]> {
  const found = await ask(
    api.GET("/api/user/events/{event_id}/favourites", { params: { path: { event_id: eventId } } }),
  );
  return found.map(photoOf);
}

export async function keepFavourite(photoId: number, isKept: boolean): Promise<void> {
  const params = { path: { photo_id: photoId } };
  await ask(
    isKept
      ? api.PUT("/api/my-photos/{photo_id}/favourite", { params })
      : api.DELETE("/api/my-photos/{photo_id}/favourite", { params }),
  );
}

export type Matching = "idle" | "running" | "done" | "failed";

export async function matchingOf(): Promise<Matching> {
  return (await ask(api.GET("/api/rematch-status"))).status;
}

export async function photoCount(code: string): Promise<number> {
  return (await ask(api.POST("/api/look-up-event", { body: { event_code: code } }))).photos;
}
