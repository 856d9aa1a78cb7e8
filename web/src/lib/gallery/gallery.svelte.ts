/** A guest's two lists of an event, live; kept while one looks at something else. */
import { untrack } from "svelte";
import { Problem, type JoinedEvent, type UncertainPhoto } from "#lib/api/client.ts";
import { matchingOf, photoCount, photosOf, uncertainOf, type Matching } from "./api.ts";
import { Favourites } from "./favourites.svelte.ts";
import { PhotoList, type Scope } from "./list.svelte.ts";
import { Live } from "./live.svelte.ts";
import { orderOf, rememberOrder, type Order } from "./order.ts";

export type Tab = "own" | "all";

/** Scrolled further than this, the page holds new photos back. */
const TOP_PIXELS = 80;

export interface Ends {
  /** The event is over. */
  over: () => void;
  /** Whoever looks is not logged in any more. */
  lost: () => void;
}

export class EventGallery {
  tab = $state<Tab>("own");
  #order = $state<Order>("arrived");
  matching = $state<Matching>("idle");
  uncertain = $state.raw<readonly UncertainPhoto[]>([]);
  /** How many photos all guests may see. */
  total = $state(0);
  readonly own: PhotoList;
  readonly all: PhotoList;
  readonly favourites: Favourites;
  readonly live: Live;
  /** Where one was in each list. */
  readonly scrolled: Record<Tab, number> = { own: 0, all: 0 };
  readonly #event: JoinedEvent;
  readonly #ends: Ends;

  constructor(event: JoinedEvent, ends: Ends) {
    this.#event = event;
    this.#order = orderOf(event.id);
    this.#ends = ends;
    const isAtTop = (tab: Tab) => (): boolean => this.tab !== tab || scrollY < TOP_PIXELS;
    this.own = new PhotoList(photosOf(event.id, "own"), isAtTop("own"));
    this.all = new PhotoList(photosOf(event.id, "all"), isAtTop("all"));
    this.favourites = new Favourites(event.id);
    this.live = new Live(event.id, {
      own: (scope, photoIds) => void this.lookAtOwn(scope, photoIds),
      all: (scope, photoIds) => void this.lookAtAll(scope, photoIds),
      ended: ends.over,
    });
  }

  get order(): Order {
    return this.#order;
  }

  set order(order: Order) {
    this.#order = order;
    rememberOrder(this.#event.id, order);
  }

  get eventId(): number {
    return this.#event.id;
  }

  /** Whether photos are being looked through for this guest. */
  get isLooking(): boolean {
    return this.matching === "running";
  }

  get list(): PhotoList {
    return this.tab === "own" ? this.own : this.all;
  }

  /** Listen, and load; returns what ends it. */
  open(): () => void {
    // An effect that opens it is not run again by what it finds.
    untrack(() => {
      void this.lookAtOwn();
      void this.lookAtAll();
      void this.favourites.load();
      this.live.open();
    });
    return () => this.live.close();
  }

  async lookAtOwn(scope: Scope = "whole", photoIds: readonly number[] = []): Promise<void> {
    await this.own.refreshFor(scope, photoIds);
    if (this.#isEnd(this.own.problem)) return;
    try {
      const [uncertain, matching] = await Promise.all([uncertainOf(this.#event.id), matchingOf()]);
      this.uncertain = uncertain;
      this.matching = matching;
    } catch {
      // The next event, or the stream's return, asks again.
    }
  }

  /** The whole list is loaded when somebody looks at it; before, how long it is. */
  async lookAtAll(scope: Scope = "whole", photoIds: readonly number[] = []): Promise<void> {
    if (this.tab === "all" || this.all.isLoaded) {
      await this.all.refreshFor(scope, photoIds);
      if (this.#isEnd(this.all.problem)) return;
      if (this.all.isComplete) this.total = this.all.length;
      return;
    }
    try {
      this.total = await photoCount(this.#event.event_code);
    } catch {
      // As above.
    }
  }

  show(tab: Tab): void {
    this.scrolled[this.tab] = scrollY;
    this.tab = tab;
    if (tab === "all" && !this.all.isLoaded) void this.lookAtAll();
  }

  #isEnd(problem: Problem | undefined): boolean {
    if (problem?.status === 410) this.#ends.over();
    else if (problem?.status === 401 || problem?.status === 403) this.#ends.lost();
    else return false;
    return true;
  }
}
