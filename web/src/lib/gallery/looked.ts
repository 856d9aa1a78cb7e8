/** Photos by their ids: lists change while one looks at a photo, or chooses some. */
import type { Photo } from "./photo.ts";

/**
 * Return the photos with the one that is looked at, which stays until one moves on.
 *
 * One that has left them is where it was in `before`, the list of last time that had it.
 */
export function withLookedAt<P extends Photo>(
  photos: readonly P[],
  photo: P,
  before: readonly P[],
): readonly P[] {
  if (indexOf(photos, photo.id) >= 0) return photos;
  const places = new Map(photos.map(({ id }, index) => [id, index]));
  const was = indexOf(before, photo.id);
  const next = before.slice(was + 1).find(({ id }) => places.has(id));
  return photos.toSpliced((next && places.get(next.id)) ?? photos.length, 0, photo);
}

/**
 * Choose a photo, or choose it no more; with a range, all from the one that was clicked before.
 *
 * Where that is unknown, or has left the photos, there is no range.
 */
export function choose(
  selection: Set<number>,
  photos: readonly Photo[],
  id: number,
  from: number | undefined,
): void {
  const start = from === undefined ? -1 : indexOf(photos, from);
  if (start >= 0) {
    const at = indexOf(photos, id);
    for (const photo of photos.slice(Math.min(at, start), Math.max(at, start) + 1))
      selection.add(photo.id);
  } else if (!selection.delete(id)) selection.add(id);
}

/** Where a photo is among them, -1 where it is not. */
export function indexOf(photos: readonly Photo[], id: number): number {
  return photos.findIndex((photo) => photo.id === id);
}
