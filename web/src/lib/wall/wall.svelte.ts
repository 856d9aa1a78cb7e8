/** One wall: looks every few seconds what it is to show, and goes on without a network. */
import { untrack } from "svelte";
import { api, ask, Problem, type WallShow } from "#lib/api/client.ts";
import { Order } from "./order.ts";

type WallPhoto = WallShow["photos"][number];

/** A wall that is taken down ends within this, and a request. */
const LOOK_MILLISECONDS = 4000;
const SHOWN_MILLISECONDS = 6000;
/** Previews are as large; a larger screen gets what guests download. */
const PREVIEW_SIDE = 1600;
/** Pictures that are kept for when the network is away. */
const MOST_KEPT = 40;

export interface Slide {
  /** Another one each time, also of the same photo. */
  number: number;
  photoId: number;
  source: string;
}

export type WallState =
  | { phase: "loading" }
  | { phase: "shown"; show: WallShow }
  /** Taken down, or never there. */
  | { phase: "gone" }
  | { phase: "over" }
  | { phase: "failed"; problem: unknown };

export class Wall {
  state = $state.raw<WallState>({ phase: "loading" });
  slide = $state.raw<Slide>();
  isOffline = $state(false);
  isPaused = $state(false);
  readonly #link: string;
  readonly #order = new Order();
  /** Pictures that have been loaded, by photo, the one that was shown longest ago first. */
  readonly #kept = new Map<number, HTMLImageElement>();
  #number = 0;
  #look: ReturnType<typeof setTimeout> | undefined;
  #next: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;

  constructor(link: string) {
    this.#link = link;
  }

  /** Begin; returns what ends it. */
  open(): () => void {
    this.#isOpen = true;
    // An effect that opens it is not run again by what it finds.
    untrack(() => {
      void this.#keepLooking();
      void this.#keepShowing();
    });
    return () => {
      this.#isOpen = false;
      clearTimeout(this.#look);
      clearTimeout(this.#next);
    };
  }

  /** Show the next photo at once. */
  skip(): void {
    clearTimeout(this.#next);
    void this.#keepShowing(true);
  }

  async #keepLooking(): Promise<void> {
    const pause = await this.#lookOnce();
    if (this.#isOpen && pause !== undefined)
      this.#look = setTimeout(() => void this.#keepLooking(), pause);
  }

  /** Look what is to be shown; returns when to look again, undefined where that is for nothing. */
  async #lookOnce(): Promise<number | undefined> {
    const before = this.state.phase === "shown" ? this.state.show : undefined;
    try {
      const show = await ask(api.GET("/api/wall", { params: { query: { link: this.#link } } }));
      this.isOffline = false;
      this.state = { phase: "shown", show };
      // The first photo is not waited for.
      if (show.photos.length && !before?.photos.length) this.skip();
      return LOOK_MILLISECONDS;
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(500);
      if (problem.status === 404 || problem.status === 410 || problem.status === 422) {
        this.#end(problem.status === 410 ? "over" : "gone");
        return undefined;
      }
      this.isOffline = true;
      if (!before) this.state = { phase: "failed", problem };
      return Math.max(LOOK_MILLISECONDS, problem.retryAfterSeconds * 1000);
    }
  }

  #end(phase: "gone" | "over"): void {
    this.state = { phase };
    this.slide = undefined;
    this.#kept.clear();
    clearTimeout(this.#next);
  }

  async #keepShowing(isWanted = false): Promise<void> {
    if (!this.isPaused || isWanted) await this.#showNext();
    if (!this.#isOpen || this.state.phase === "gone" || this.state.phase === "over") return;
    clearTimeout(this.#next);
    this.#next = setTimeout(() => void this.#keepShowing(), SHOWN_MILLISECONDS);
  }

  async #showNext(): Promise<void> {
    if (this.state.phase !== "shown") return;
    const { photos } = this.state.show;
    const wanted = this.#order.next(photos.map(({ id }) => id));
    const photo = photos.find(({ id }) => id === wanted);
    if (!photo) {
      this.slide = undefined;
      return;
    }
    const picture = (await loaded(photo)) ?? this.#another(photos);
    if (!picture || !this.#isOpen || this.state.phase !== "shown") return;
    this.#keep(picture);
    if (this.slide?.source === picture.image.src) return;
    this.slide = {
      number: (this.#number += 1),
      photoId: picture.photoId,
      source: picture.image.src,
    };
  }

  /** Without a network: what was loaded, and may be shown still. */
  #another(photos: readonly WallPhoto[]): Picture | undefined {
    const may = new Set(photos.map(({ id }) => id));
    for (const [photoId, image] of this.#kept) if (may.has(photoId)) return { photoId, image };
    return undefined;
  }

  #keep({ photoId, image }: Picture): void {
    this.#kept.delete(photoId);
    this.#kept.set(photoId, image);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}

interface Picture {
  photoId: number;
  image: HTMLImageElement;
}

/** Load a photo as large as the screen needs it; undefined where it does not come. */
async function loaded(photo: WallPhoto): Promise<Picture | undefined> {
  const side = Math.max(screen.width, screen.height) * devicePixelRatio;
  const image = new Image();
  image.src = side > 1.5 * PREVIEW_SIDE ? photo.url : photo.preview_url;
  try {
    await image.decode();
    return { photoId: photo.id, image };
  } catch {
    return undefined;
  }
}
