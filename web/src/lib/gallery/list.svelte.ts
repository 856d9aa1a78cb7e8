/** A list of photos that fills while one looks: pages come in, and photos as they are taken. */
import { untrack } from "svelte";
import { Problem } from "#lib/api/client.ts";
import type { Photo } from "./photo.ts";

/** The first page fills a screen; the others come behind it. */
const FIRST_PAGE = 60;
const NEXT_PAGES = 1000;

export interface Page<P extends Photo = Photo> {
  photos: P[];
  /** Null on the last page. */
  cursor: string | null;
}
export type FetchPage<P extends Photo = Photo> = (
  limit: number,
  cursor: string | null,
) => Promise<Page<P>>;

/** What may have changed: photos have come in, or anything. Of 20,000 not all are fetched for one. */
export type Scope = "newest" | "whole";

export class PhotoList<P extends Photo = Photo> {
  /** What is shown, the newest first. */
  photos = $state.raw<readonly P[]>([]);
  /** What has come since, and waits until somebody wants to see it: the page never jumps. */
  fresh = $state.raw<readonly P[]>([]);
  isLoaded = $state(false);
  isComplete = $state(false);
  problem = $state.raw<Problem>();
  /** Ids that came while the page was open: they rise as they appear. */
  readonly arrived = new Set<number>();

  readonly #fetch: FetchPage<P>;
  readonly #mayShow: () => boolean;
  /** Taken out by their guest, and not yet by the server. */
  readonly #removed = new Set<number>();
  #refreshing: Promise<void> | undefined;
  #again: Scope | undefined;

  /** `mayShow` says whether new photos may come in at the top without moving what one looks at. */
  constructor(fetch: FetchPage<P>, mayShow: () => boolean) {
    this.#fetch = fetch;
    this.#mayShow = mayShow;
  }

  get length(): number {
    return this.photos.length + this.fresh.length;
  }

  /** Look for photos that came in; for all there is, where one that was told of is further down. */
  async refreshFor(scope: Scope, photoIds: readonly number[]): Promise<void> {
    await this.refresh(scope);
    const isThere = (id: number): boolean =>
      this.#removed.has(id) || [...this.fresh, ...this.photos].some((photo) => photo.id === id);
    if (scope === "newest" && !this.problem && !photoIds.every(isThere)) await this.refresh();
  }

  /** Look what there is now; asked again meanwhile, once more afterwards. */
  refresh(scope: Scope = "whole"): Promise<void> {
    if (this.#refreshing) {
      this.#again = this.#again === "whole" ? "whole" : scope;
      return this.#refreshing;
    }
    this.#refreshing = this.#refresh(scope).finally(() => {
      this.#refreshing = undefined;
      const again = this.#again;
      this.#again = undefined;
      if (again) void this.refresh(again);
    });
    return this.#refreshing;
  }

  showFresh(): void {
    if (!this.fresh.length) return;
    for (const photo of this.fresh) this.arrived.add(photo.id);
    this.photos = [...this.fresh, ...this.photos];
    this.fresh = [];
  }

  remove(ids: Iterable<number>): void {
    const gone = new Set(ids);
    for (const id of gone) this.#removed.add(id);
    this.photos = this.photos.filter((photo) => !gone.has(photo.id));
    this.fresh = this.fresh.filter((photo) => !gone.has(photo.id));
  }

  /** Have a photo that was removed where it was. */
  restore(photo: P, index: number): void {
    this.#removed.delete(photo.id);
    if (this.photos.some((one) => one.id === photo.id)) return;
    this.photos = this.photos.toSpliced(index, 0, photo);
  }

  /** What was removed is the server's to say again. */
  settle(id: number): void {
    this.#removed.delete(id);
  }

  async #refresh(scope: Scope): Promise<void> {
    // An effect that asks is not run again by what is found.
    const before = untrack(() => [...this.photos, ...this.fresh]);
    const known = new Set(before.map((photo) => photo.id));
    const isKnown = (photo: Photo): boolean => known.has(photo.id);
    try {
      const found: P[] = [];
      let cursor: string | null = null;
      do {
        const page: Page<P> = await this.#fetch(found.length ? NEXT_PAGES : FIRST_PAGE, cursor);
        found.push(...page.photos);
        cursor = page.cursor;
        // The first time, each page is shown as it comes.
        if (!this.isComplete) this.#show(found, cursor === null);
        else if (scope === "newest" && found.some(isKnown)) {
          // What is below is what was there.
          const last = found.findLast(isKnown)?.id;
          const all = [...this.fresh, ...this.photos];
          found.push(...all.slice(all.findIndex((photo) => photo.id === last) + 1));
          cursor = null;
        }
      } while (cursor !== null);
      if (this.isComplete) this.#merge(found);
      this.isComplete = true;
      this.problem = undefined;
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem(500);
    }
  }

  #show(found: readonly P[], isAll: boolean): void {
    const shown = this.#kept(found);
    if (isAll || shown.length >= this.photos.length) this.photos = shown;
    this.isLoaded = true;
  }

  #merge(found: readonly P[]): void {
    const all = this.#kept(found);
    const known = new Set(this.photos.map((photo) => photo.id));
    const fresh = all.filter((photo) => !known.has(photo.id));
    if (!fresh.length || this.#mayShow()) {
      for (const photo of fresh) this.arrived.add(photo.id);
      this.photos = all;
      this.fresh = [];
      return;
    }
    this.photos = all.filter((photo) => known.has(photo.id));
    this.fresh = fresh;
  }

  #kept(found: readonly P[]): readonly P[] {
    return this.#removed.size ? found.filter((photo) => !this.#removed.has(photo.id)) : found;
  }
}
