/** One event of the studio, as it goes on: its head's figures, and who of its tabs listens. */
import { api, ask, type EventAtAGlance, type EventProgress } from "#lib/api/client.ts";
import type { Scope } from "#lib/gallery/list.svelte.ts";
import { Live } from "#lib/gallery/live.svelte.ts";
import type { Studio } from "./studio.svelte.ts";

/** Photos come in bursts: figures are asked for once in so long. */
const PROGRESS_MILLISECONDS = 1000;
/** Until all photos are done, also where nothing is told of. */
const WAITING_MILLISECONDS = 5000;

/** Told what may have changed of the event's photos, and of which for certain. */
export type Listener = (scope: Scope, photoIds: readonly number[]) => void;

export class StudioEvent {
  readonly id: number;
  progress = $state.raw<EventProgress>();
  readonly #studio: Studio;
  readonly #live: Live;
  readonly #listeners = new Set<Listener>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Infinity;
  #isOpen = false;

  constructor(id: number, studio: Studio) {
    this.id = id;
    this.#studio = studio;
    const heard: Listener = (scope, photoIds) => this.#heard(scope, photoIds);
    this.#live = new Live(id, { own: heard, all: heard, ended: () => void studio.refresh() });
  }

  /** What the list of events says of it; undefined where there is no such event of theirs. */
  get glance(): EventAtAGlance | undefined {
    return this.#studio.find(this.id);
  }

  get isConnected(): boolean {
    return this.#live.isConnected;
  }

  /** Listen until what is returned is called. */
  begin(): () => void {
    this.#isOpen = true;
    this.#live.open();
    this.#look(0);
    return () => {
      this.#isOpen = false;
      this.#live.close();
      clearTimeout(this.#timer);
      this.#dueAt = Infinity;
    };
  }

  /** Be told of changes until what is returned is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** After a change of one's own: what the list of events says is not right any more. */
  changed(): Promise<void> {
    return this.#studio.refresh();
  }

  #heard(scope: Scope, photoIds: readonly number[]): void {
    this.#look(PROGRESS_MILLISECONDS);
    for (const listener of this.#listeners) listener(scope, photoIds);
  }

  /** Ask for the figures in so many milliseconds, or before if that was planned. */
  #look(milliseconds: number): void {
    const dueAt = Date.now() + milliseconds;
    if (!this.#isOpen || dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => void this.#ask(), milliseconds);
  }

  async #ask(): Promise<void> {
    this.#dueAt = Infinity;
    try {
      const progress = await ask(
        api.GET("/api/events/{event_id}/progress", { params: { path: { event_id: this.id } } }),
      );
      this.progress = progress;
      const { received: photos, pending, failed } = progress;
      this.#studio.counted(this.id, { photos, pending, failed });
    } catch {
      // What was known stays; the next look may go well.
    }
    if (this.progress?.pending !== 0) this.#look(WAITING_MILLISECONDS);
  }
}
