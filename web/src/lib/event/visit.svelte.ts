/** One visit to an event's pages: what event it is, and whether the visitor is one of its guests. */
import { api, ask, Problem, type Invitation, type JoinedEvent } from "#lib/api/client.ts";
import { early } from "./early.ts";

/** Whether somebody has joined on this device: the session's cookie is not for scripts to see. */
const JOINED = "findme.joined";

export type State =
  | { phase: "loading" }
  | { phase: "unknown" }
  | { phase: "over" }
  | { phase: "failed"; problem: unknown }
  | { phase: "invited"; invitation: Invitation }
  | { phase: "joined"; event: JoinedEvent };

export class Visit {
  state = $state.raw<State>({ phase: "loading" });
  /** The colour that the event's organisers chose, once it is known. */
  accent = $state<string | null>(null);
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }

  async load(): Promise<void> {
    try {
      const joined = hasJoined() ? await this.#joinedEvent() : undefined;
      if (joined) {
        this.state = { phase: "joined", event: joined };
        void this.#lookAgain();
        return;
      }
      const invitation = await this.#invitation();
      this.state = { phase: "invited", invitation };
    } catch (problem) {
      const status = problem instanceof Problem ? problem.status : 500;
      if (status === 404) this.state = { phase: "unknown" };
      else if (status === 410) this.state = { phase: "over" };
      else this.state = { phase: "failed", problem };
    }
  }

  async reload(): Promise<void> {
    this.state = { phase: "loading" };
    await this.load();
  }

  ended(): void {
    this.state = { phase: "over" };
  }

  async #invitation(): Promise<Invitation> {
    const found = await ask(
      api.POST("/api/look-up-event", { body: { event_code: this.code }, fetch: early(this.code) }),
    );
    this.accent = found.accent;
    return found;
  }

  /** How the event looks, for who has joined; without it, it looks as we do. */
  async #lookAgain(): Promise<void> {
    try {
      await this.#invitation();
    } catch {
      // What is known stays.
    }
  }

  async #joinedEvent(): Promise<JoinedEvent | undefined> {
    const wanted = key(this.code);
    const found = (await joinedEvents(this.code)).find((event) => key(event.event_code) === wanted);
    if (found && Date.parse(found.expires_at) <= Date.now()) throw new Problem(410);
    return found;
  }
}

/**
 * The events of whoever is logged in here; none for who is not. Throws Problem.
 *
 * `code` is that of the page which asks, where it is an event's.
 */
export async function joinedEvents(code?: string): Promise<JoinedEvent[]> {
  try {
    const events = await ask(api.GET("/api/user/events", { fetch: early(code) }));
    remember(true);
    return events;
  } catch (problem) {
    if (problem instanceof Problem && (problem.status === 401 || problem.status === 403)) {
      remember(false);
      return [];
    }
    throw problem;
  }
}

export function remember(isJoined: boolean): void {
  try {
    if (isJoined) localStorage.setItem(JOINED, "1");
    else localStorage.removeItem(JOINED);
  } catch {
    // A browser that keeps nothing asks the server each time.
  }
}

export function hasJoined(): boolean {
  try {
    return localStorage.getItem(JOINED) !== null;
  } catch {
    return true;
  }
}

/** Whether the guest of this browser has left in another of its tabs. */
export function leftElsewhere({ key, newValue }: Pick<StorageEvent, "key" | "newValue">): boolean {
  // Without a key: all that is kept was thrown away.
  return newValue === null && (key === JOINED || key === null);
}

/** Codes compare without case and white space, as on the server. */
export function key(code: string): string {
  return code.replace(/\s/g, "").toUpperCase();
}
