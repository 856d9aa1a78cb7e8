/** What happens at the event, as it happens: Server-Sent Events, which browsers connect again. */
import type { Scope } from "./list.svelte.ts";

/** What is told of by the stream, whose list it is about, and how much of it may have changed. */
const TOLD: Record<string, { whose: readonly Whose[]; scope: Scope }> = {
  "photo.matched": { whose: ["own"], scope: "newest" },
  "photo.uploaded": { whose: ["all"], scope: "newest" },
  "photo.failed": { whose: ["all"], scope: "newest" },
  "match.changed": { whose: ["own"], scope: "whole" },
  "selfie.matched": { whose: ["own"], scope: "whole" },
  "photo.changed": { whose: ["all"], scope: "whole" },
  "photo.deleted": { whose: ["own", "all"], scope: "whole" },
  "event.changed": { whose: ["own", "all"], scope: "whole" },
  gap: { whose: ["own", "all"], scope: "whole" },
};
const ENDS = ["expired", "event.deleted"];

/** Photos come in bursts: one look for all that come within it. */
const GATHER_MILLISECONDS = 250;
/** After an answer that was no stream, browsers give up; we do not. */
const RETRY_MILLISECONDS = 5000;

type Whose = "own" | "all";

export interface Heard {
  /** Something of the caller's own photos may have changed; some of them were told of. */
  own(scope: Scope, photoIds: readonly number[]): void;
  /** Something of all photos may have. */
  all(scope: Scope, photoIds: readonly number[]): void;
  /** The event is over. */
  ended(): void;
}

interface Pending {
  scope: Scope;
  photoIds: number[];
  timer: ReturnType<typeof setTimeout>;
}

export class Live {
  isConnected = $state(false);
  /** Whether it was there, or is known not to come: at first it is only not there yet. */
  isBroken = $state(false);
  #source: EventSource | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pending = new Map<Whose, Pending>();
  #isFirst = true;
  readonly #url: string;
  readonly #heard: Heard;
  readonly #comesBack = (): void => this.#open();

  constructor(eventId: number, heard: Heard) {
    this.#url = `/api/events/${eventId}/stream`;
    this.#heard = heard;
  }

  open(): void {
    addEventListener("online", this.#comesBack);
    this.#open();
  }

  close(): void {
    removeEventListener("online", this.#comesBack);
    clearTimeout(this.#retry);
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
    this.#source?.close();
    this.isConnected = false;
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = new EventSource(this.#url);
    this.#source = source;
    source.onopen = () => {
      // What came while nobody listened: lists are looked at after the stream is there.
      this.isConnected = true;
      const scope = this.#isFirst ? "newest" : "whole";
      this.#isFirst = false;
      this.#gather("own", scope);
      this.#gather("all", scope);
    };
    source.onerror = () => {
      this.isConnected = false;
      this.isBroken = true;
      if (source.readyState === EventSource.CLOSED) {
        this.#retry = setTimeout(() => this.#open(), RETRY_MILLISECONDS);
        this.#gather("own", "newest");
      }
    };
    for (const [name, { whose, scope }] of Object.entries(TOLD)) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        const photoId = photoOf(event.data);
        for (const one of whose) this.#gather(one, scope, photoId);
      });
    }
    for (const name of ENDS) source.addEventListener(name, () => this.#heard.ended());
  }

  #gather(whose: Whose, scope: Scope, photoId?: number): void {
    let pending = this.#pending.get(whose);
    if (!pending) {
      const made: Pending = { scope, photoIds: [], timer: setTimeout(look, GATHER_MILLISECONDS) };
      const heard = this.#heard;
      const all = this.#pending;
      function look(): void {
        all.delete(whose);
        heard[whose](made.scope, made.photoIds);
      }
      all.set(whose, made);
      pending = made;
    }
    if (scope === "whole") pending.scope = scope;
    if (photoId !== undefined) pending.photoIds.push(photoId);
  }
}

function photoOf(data: string): number | undefined {
  const { photo_id: id } = JSON.parse(data || "{}") as { photo_id?: number | null };
  return id ?? undefined;
}
