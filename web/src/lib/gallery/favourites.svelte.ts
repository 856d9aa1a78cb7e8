/** The photos that a guest wants to find again: shown at once, and then told to the server. */
import { favouritesOf, keepFavourite } from "./api.ts";
import type { Photo } from "./photo.ts";

export class Favourites {
  photos = $state.raw<readonly Photo[]>([]);
  readonly #eventId: number;

  constructor(eventId: number) {
    this.#eventId = eventId;
  }

  has(photo: Photo): boolean {
    return this.photos.some((one) => one.id === photo.id);
  }

  async load(): Promise<void> {
    try {
      this.photos = await favouritesOf(this.#eventId);
    } catch {
      // What is known stays; the next look asks again.
    }
  }

  /** Keep the photo, or no longer. Throws Problem, and then it is as before. */
  async turn(photo: Photo): Promise<void> {
    const isKept = !this.has(photo);
    this.#set(photo, isKept);
    try {
      await keepFavourite(photo.id, isKept);
    } catch (problem) {
      this.#set(photo, !isKept);
      throw problem;
    }
  }

  #set(photo: Photo, isKept: boolean): void {
    const others = this.photos.filter((one) => one.id !== photo.id);
    // As lists are: the newest first.
    this.photos = isKept
      ? [...others, photo].sort((a, b) => b.arrivedAt.localeCompare(a.arrivedAt) || b.id - a.id)
      : others;
  }
}
