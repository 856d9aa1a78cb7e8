/** What a page shows, and looks at again: as it is now, or page by page. */
import { oneAtATime } from "#lib/api/once.ts";
import { say } from "#lib/api/say.ts";
import { toasts } from "#lib/ui/toasts.svelte.ts";
import type { PageOf } from "./admin.ts";

export class Shown<T> {
  value = $state.raw<T>();
  problem = $state.raw<unknown>();
  isBusy = $state(false);
  readonly #ask: () => Promise<T>;
  readonly #everyMilliseconds: number;

  /** With an interval it is asked again and again, while the page is seen. */
  constructor(ask: () => Promise<T>, everyMilliseconds = 0) {
    this.#ask = ask;
    this.#everyMilliseconds = everyMilliseconds;
  }

  /** Load; returns what ends it. */
  begin(): () => void {
    const look = oneAtATime(() => this.load());
    void look();
    if (!this.#everyMilliseconds) return () => undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void look();
    }, this.#everyMilliseconds);
    return () => clearInterval(timer);
  }

  async load(): Promise<void> {
    try {
      this.value = await this.#ask();
      this.problem = undefined;
    } catch (problem) {
      this.problem = problem;
    }
  }

  /** Do something about it, say what came of it, and look again. */
  async act<R>(what: () => Promise<R>, done: (result: R) => string): Promise<boolean> {
    this.isBusy = true;
    try {
      toasts.say(done(await what()));
      await this.load();
      return true;
    } catch (problem) {
      toasts.say(say(problem));
      return false;
    } finally {
      this.isBusy = false;
    }
  }
}

/** Rows that are fetched page by page. */
export class ShownRows<T> extends Shown<T[]> {
  cursor = $state<number | null>(null);
  readonly #page: (cursor: number | null) => Promise<PageOf<T>>;

  constructor(page: (cursor: number | null) => Promise<PageOf<T>>) {
    super(async () => {
      const { rows, cursor } = await page(null);
      this.cursor = cursor;
      return rows;
    });
    this.#page = page;
  }

  async more(): Promise<void> {
    try {
      const { rows, cursor } = await this.#page(this.cursor);
      this.value = [...(this.value ?? []), ...rows];
      this.cursor = cursor;
    } catch (problem) {
      toasts.say(say(problem));
    }
  }
}
