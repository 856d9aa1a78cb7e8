/** Who is signed in to the studio, and the events that they run. */
import { api, ask, Problem, type Account, type EventAtAGlance } from "#lib/api/client.ts";
import { oneAtATime } from "#lib/api/once.ts";
import { whoAmI } from "./account.ts";

/** How old what is shown of other events, and of guests, may be. */
const REFRESH_MILLISECONDS = 30_000;

export type StudioState =
  | { phase: "loading" }
  | { phase: "guest" }
  | { phase: "failed"; problem: unknown }
  | { phase: "in"; account: Account };

export class Studio {
  state = $state.raw<StudioState>({ phase: "loading" });
  events = $state.raw<readonly EventAtAGlance[]>([]);
  /** How long a new event lasts where nobody says when it ends. */
  lifetimeDays = $state(0);
  readonly #onsignedout: () => void;

  constructor(onsignedout: () => void) {
    this.#onsignedout = onsignedout;
  }

  get isAdmin(): boolean {
    return this.state.phase === "in" && this.state.account.user_type === "admin";
  }

  /** Load, and keep up with what happens elsewhere, until what is returned is called. */
  begin(): () => void {
    const look = oneAtATime(() => (this.state.phase === "in" ? this.refresh() : this.load()));
    const again = (): void => {
      if (document.visibilityState === "visible" && this.state.phase !== "guest") void look();
    };
    void look();
    const timer = setInterval(again, REFRESH_MILLISECONDS);
    addEventListener("online", again);
    document.addEventListener("visibilitychange", again);
    return () => {
      clearInterval(timer);
      removeEventListener("online", again);
      document.removeEventListener("visibilitychange", again);
    };
  }

  async load(): Promise<void> {
    try {
      const account = await whoAmI();
      if (account.user_type === "user") {
        this.state = { phase: "guest" };
        return;
      }
      await this.#loadEvents();
      this.state = { phase: "in", account };
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) this.#onsignedout();
      else this.state = { phase: "failed", problem };
    }
  }

  /** Look at the events again. What is shown stays where that fails. */
  async refresh(): Promise<void> {
    if (this.state.phase !== "in") return;
    try {
      await this.#loadEvents();
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) this.#onsignedout();
    }
  }

  find(id: number): EventAtAGlance | undefined {
    return this.events.find((event) => event.id === id);
  }

  /** One event's photos were counted since. */
  counted(id: number, counts: Pick<EventAtAGlance, "photos" | "pending" | "failed">): void {
    this.events = this.events.map((event) => (event.id === id ? { ...event, ...counts } : event));
  }

  async #loadEvents(): Promise<void> {
    const overview = await ask(api.GET("/api/photographer/overview"));
    this.events = overview.events;
    this.lifetimeDays = overview.event_lifetime_days;
  }
}

export type Standing = "live" | "soon" | "ended";

/** Whether guests come to the event now, later, or not any more. */
export function standingOf(event: EventAtAGlance, now = Date.now()): Standing {
  if (event.is_over || Date.parse(event.expires_at) <= now) return "ended";
  return event.date && Date.parse(event.date) > now ? "soon" : "live";
}
