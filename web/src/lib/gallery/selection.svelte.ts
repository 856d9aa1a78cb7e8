/** Which photos are chosen, while some are; by their ids, as places change when others come and go. */
import { SvelteSet } from "svelte/reactivity";
import { choose } from "./looked.ts";
import type { Photo } from "./photo.ts";

export class Selection {
  /** Null while photos are opened. */
  ids = $state.raw<SvelteSet<number> | null>(null);
  #last: number | undefined;

  begin(): void {
    this.#last = undefined;
    this.ids = new SvelteSet();
  }

  end(): void {
    this.ids = null;
    this.#last = undefined;
  }

  /** Choose a photo, or all from the last one to it. */
  choose(photos: readonly Photo[], id: number, isRange: boolean): void {
    this.ids ??= new SvelteSet();
    choose(this.ids, photos, id, isRange ? this.#last : undefined);
    this.#last = id;
  }

  /** Choose all; none where all are chosen. */
  chooseAll(photos: readonly Photo[]): void {
    const isAll = this.ids?.size === photos.length;
    this.ids = new SvelteSet(isAll ? [] : photos.map(({ id }) => id));
  }
}
