/**
 * Files on their way to events: what they are is found out first, then whether the event has them,
 * then they are sent, several at once. Nothing of it knows a browser; `Ports` do.
 */
import { Problem } from "#lib/api/client.ts";
import {
  FIRST_PARALLEL,
  judge,
  keyOf,
  MOST_TRIES,
  nextParallel,
  waitBefore,
  type Halt,
  type Reason,
} from "./rules.ts";
import { Speed } from "./speed.ts";

/** Files whose digest is known ahead of those that are sent. */
const AHEAD = 48;
const HASHED_AT_ONCE = 2;
/** In one question whether the event has them. */
const ASKED_AT_ONCE = 200;
/** Before asking for a few, others are waited for. */
const GATHER_MILLISECONDS = 50;
/** How long the speed is watched before another number of uploads at once is tried. */
const ADAPT_MILLISECONDS = 4000;

export type Status =
  /** Known from before, and not at hand: its folder has to be chosen again. */
  "missing" | "waiting" | "ready" | "sending" | "done" | "duplicate" | "failed";

/** A file that is to be sent. */
export interface Item {
  readonly id: number;
  readonly eventId: number;
  readonly path: string;
  readonly size: number;
  readonly modified: number;
  /** How it is read; undefined while it is missing. */
  open: (() => Promise<File>) | undefined;
  status: Status;
  sent: number;
  tries: number;
  sha256?: string;
  /** Where it is gone on with. */
  tusUrl?: string;
  reason?: Reason;
  /** The server's own sentence about it. */
  detail?: string;
}

export interface Told {
  progress(sent: number): void;
  url(url: string): void;
}

/** What the queue needs of the world. All throw Problem where an answer was no success. */
export interface Ports {
  hash(file: Blob): Promise<string>;
  /** Return those of the digests that the event has. */
  existing(eventId: number, digests: string[]): Promise<ReadonlySet<string>>;
  send(item: Item, file: File, told: Told, signal: AbortSignal): Promise<"queued" | "duplicate">;
  /** Ask the server something that tells whether it would take files. */
  probe(eventId: number): Promise<void>;
  /** An item's status, digest or address has changed, or undefined: something of the whole. */
  changed(item?: Item): void;
  now(): number;
  mostParallel(): number;
}

export interface Sums {
  all: number;
  done: number;
  duplicate: number;
  failed: number;
  missing: number;
  bytes: number;
  /** Sent, or found not to need it. */
  settledBytes: number;
}

export class UploadQueue {
  readonly items: Item[] = [];
  isPaused = false;
  halt: Halt | null = null;
  parallel = FIRST_PARALLEL;
  readonly speed = new Speed();
  readonly #ports: Ports;
  readonly #known = new Map<string, Item>();
  /** Digests of each event's files, so that copies in one folder are sent once. */
  readonly #digests = new Map<string, Item>();
  #waiting: Item[] = [];
  #toAsk: Item[] = [];
  #ready: Item[] = [];
  readonly #sending = new Map<Item, AbortController>();
  /** Ends when all is forgotten: what was under way then concerns nobody any more. */
  #life = new AbortController();
  #hashing = 0;
  #isAsking = false;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #haltedTries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #adaptedAt = 0;
  #speedBefore = 0;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Take files in. Those that are known, and at hand or settled, are left as they are. */
  add(items: readonly Item[]): void {
    for (const item of items) {
      const known = this.#known.get(keyOf(item));
      if (!known) {
        this.#known.set(keyOf(item), item);
        this.items.push(item);
        if (item.sha256 && item.status !== "failed") this.#digests.set(digestKey(item), item);
        this.#enqueue(item);
        this.#ports.changed(item);
      } else if (known.status === "missing" && item.open) {
        known.open = item.open;
        known.status = "waiting";
        this.#enqueue(known);
        this.#ports.changed(known);
      }
    }
    this.#pump();
  }

  pause(): void {
    this.isPaused = true;
    for (const controller of this.#sending.values()) controller.abort();
    this.#ports.changed();
  }

  /** Go on: after a pause, or at once where something is waited for. */
  resume(): void {
    this.isPaused = false;
    if (this.halt) void this.#goOn();
    else this.#pump();
    this.#ports.changed();
  }

  /** Try again what failed for a reason that may have passed. */
  retry(item: Item): void {
    if (item.status !== "failed" || !item.open) return;
    item.status = "waiting";
    item.tries = 0;
    delete item.reason;
    delete item.detail;
    this.#enqueue(item);
    this.#ports.changed(item);
    this.#pump();
  }

  /** Forget everything, and stop what is under way; it may be somebody else who goes on. */
  clear(): void {
    this.#life.abort();
    this.#life = new AbortController();
    for (const controller of this.#sending.values()) controller.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.items.length = 0;
    for (const one of [this.#known, this.#digests, this.#sending]) one.clear();
    this.#waiting = [];
    this.#toAsk = [];
    this.#ready = [];
    this.isPaused = false;
    this.halt = null;
    this.#haltedTries = 0;
    this.speed.forget();
    this.#ports.changed();
  }

  /** What is to be done is done, or cannot be. */
  get isIdle(): boolean {
    return this.items.every(
      ({ status }) => status !== "waiting" && status !== "ready" && status !== "sending",
    );
  }

  sums(): Sums {
    const sums = {
      all: 0,
      done: 0,
      duplicate: 0,
      failed: 0,
      missing: 0,
      bytes: 0,
      settledBytes: 0,
    };
    for (const item of this.items) {
      sums.all += 1;
      sums.bytes += item.size;
      if (item.status in sums)
        sums[item.status as "done" | "duplicate" | "failed" | "missing"] += 1;
      sums.settledBytes += isSettled(item) ? item.size : Math.min(item.sent, item.size);
    }
    return sums;
  }

  #enqueue(item: Item): void {
    if (item.status === "waiting") this.#waiting.push(item);
  }

  #pump(): void {
    if (this.isPaused || this.halt) return;
    while (
      this.#hashing < HASHED_AT_ONCE &&
      this.#waiting.length &&
      this.#toAsk.length + this.#ready.length < AHEAD
    ) {
      void this.#hash(this.#waiting.shift()!);
    }
    if (!this.#isAsking && this.#toAsk.length) {
      if (this.#toAsk.length >= AHEAD / 2) void this.#ask();
      else this.#gathering ??= setTimeout(() => void this.#ask(), GATHER_MILLISECONDS);
    }
    while (this.#sending.size < this.parallel && this.#ready.length) {
      void this.#send(this.#ready.shift()!);
    }
  }

  async #hash(item: Item): Promise<void> {
    const { signal: over } = this.#life;
    this.#hashing += 1;
    try {
      if (!item.size) this.#fail(item, "empty");
      else {
        item.sha256 ??= await this.#ports.hash(await item.open!());
        if (over.aborted) return;
        const same = this.#digests.get(digestKey(item));
        if (same && same !== item && same.status !== "failed") this.#settle(item, "duplicate");
        else {
          this.#digests.set(digestKey(item), item);
          this.#toAsk.push(item);
          this.#ports.changed(item);
        }
      }
    } catch {
      // Reading failed: nothing else was asked of anybody.
      if (!over.aborted) this.#fail(item, "unreadable");
    } finally {
      this.#hashing -= 1;
      this.#pump();
    }
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const eventId = this.#toAsk[0]?.eventId;
    if (this.#isAsking || this.isPaused || this.halt || eventId === undefined) return;
    this.#isAsking = true;
    const { signal: over } = this.#life;
    const asked = this.#toAsk.filter((item) => item.eventId === eventId).slice(0, ASKED_AT_ONCE);
    const isAsked = new Set(asked);
    this.#toAsk = this.#toAsk.filter((item) => !isAsked.has(item));
    try {
      const there = await this.#ports.existing(
        eventId,
        asked.map((item) => item.sha256!),
      );
      if (over.aborted) return;
      this.#fine();
      for (const item of asked) {
        if (there.has(item.sha256!)) this.#settle(item, "duplicate");
        else {
          item.status = "ready";
          this.#ready.push(item);
        }
      }
    } catch (error) {
      if (over.aborted) return;
      this.#toAsk.unshift(...asked);
      const { verdict } = judged(error);
      // The question is never one file's fault.
      if (verdict.kind === "halt") this.#stop(verdict.halt, verdict.seconds, eventId);
      else this.#stop("busy", 0, eventId);
    } finally {
      this.#isAsking = false;
      this.#pump();
    }
  }

  async #send(item: Item): Promise<void> {
    const { signal: over } = this.#life;
    const controller = new AbortController();
    this.#sending.set(item, controller);
    item.status = "sending";
    this.#ports.changed(item);
    try {
      const file = await opened(item);
      controller.signal.throwIfAborted();
      if (!file) {
        this.#fail(item, "unreadable");
        return;
      }
      const told: Told = {
        progress: (sent) => {
          if (over.aborted) return;
          if (sent > item.sent) this.speed.add(sent - item.sent, this.#ports.now());
          item.sent = sent;
          this.#ports.changed();
        },
        url: (url) => {
          if (over.aborted) return;
          item.tusUrl = url;
          this.#ports.changed(item);
        },
      };
      const outcome = await this.#ports.send(item, file, told, controller.signal);
      if (over.aborted) return;
      this.#settle(item, outcome === "queued" ? "done" : "duplicate");
      this.#fine();
    } catch (error) {
      if (!over.aborted) await this.#broke(item, error, controller.signal.aborted, over);
    } finally {
      this.#sending.delete(item);
      this.#adapt();
      this.#pump();
    }
  }

  async #broke(item: Item, error: unknown, isAborted: boolean, over: AbortSignal): Promise<void> {
    if (!item.tusUrl) item.sent = 0;
    const again = (): void => {
      item.status = "ready";
      this.#ready.unshift(item);
      this.#ports.changed(item);
    };
    if (isAborted) {
      again();
      return;
    }
    const { verdict, detail } = judged(error);
    // A file that cannot be read any more looks like a connection that broke.
    const isLost =
      verdict.kind === "halt" && verdict.halt === "network" && !(await isReadable(item));
    if (over.aborted) return;
    if (isLost) this.#fail(item, "unreadable");
    else if (verdict.kind === "file") this.#fail(item, verdict.reason, detail);
    else if (verdict.kind === "halt") {
      again();
      this.#stop(verdict.halt, verdict.seconds, item.eventId);
    } else if ((item.tries += 1) >= MOST_TRIES) this.#fail(item, "server", detail);
    else {
      again();
      this.#stop("busy", 0, item.eventId);
    }
  }

  #settle(item: Item, status: "done" | "duplicate"): void {
    item.status = status;
    item.sent = item.size;
    this.#ports.changed(item);
  }

  #fail(item: Item, reason: Reason, detail?: string): void {
    item.status = "failed";
    item.sent = 0;
    item.reason = reason;
    if (detail) item.detail = detail;
    this.#ports.changed(item);
  }

  /** Stand still, and see later whether it goes on: by itself, unless somebody has to act. */
  #stop(halt: Halt, seconds: number, eventId: number, isProbe = false): void {
    // Several uploads break at once: the first one says why.
    if (this.halt && !isProbe) return;
    if (!isProbe) this.parallel = Math.max(1, Math.floor(this.parallel / 2));
    this.halt = halt;
    this.speed.forget();
    for (const controller of this.#sending.values()) controller.abort();
    this.#haltedTries += 1;
    this.#ports.changed();
    clearTimeout(this.#timer);
    if (halt === "signedOut" || halt === "gone" || halt === "manyPhotos") return;
    const wait = Math.max(seconds * 1000, waitBefore(this.#haltedTries));
    this.#timer = setTimeout(() => void this.#goOn(eventId), wait);
  }

  async #goOn(eventId = this.#nextEvent()): Promise<void> {
    clearTimeout(this.#timer);
    if (eventId === undefined) return;
    const { signal: over } = this.#life;
    try {
      await this.#ports.probe(eventId);
    } catch (error) {
      if (over.aborted) return;
      const { verdict } = judged(error);
      if (verdict.kind === "halt") this.#stop(verdict.halt, verdict.seconds, eventId, true);
      else this.#stop("busy", 0, eventId, true);
      return;
    }
    if (over.aborted) return;
    this.halt = null;
    this.#ports.changed();
    this.#pump();
  }

  #nextEvent(): number | undefined {
    return (this.#ready[0] ?? this.#toAsk[0] ?? this.#waiting[0])?.eventId;
  }

  #fine(): void {
    this.#haltedTries = 0;
  }

  #adapt(): void {
    const now = this.#ports.now();
    if (this.halt || this.isPaused || now - this.#adaptedAt < ADAPT_MILLISECONDS) return;
    const speed = this.speed.at(now);
    this.parallel = nextParallel(
      this.parallel,
      speed,
      this.#speedBefore,
      this.#ports.mostParallel(),
    );
    this.#speedBefore = speed;
    this.#adaptedAt = now;
  }
}

export function isSettled({ status }: Item): boolean {
  return status === "done" || status === "duplicate" || status === "failed";
}

function digestKey(item: Item): string {
  return `${item.eventId}|${item.sha256}`;
}

function judged(error: unknown) {
  const problem = error instanceof Problem ? error : new Problem(500);
  const { status, retryAfterSeconds, detail } = problem;
  return { verdict: judge(status, retryAfterSeconds, detail), detail };
}

async function opened(item: Item): Promise<File | undefined> {
  try {
    return await item.open?.();
  } catch {
    return undefined;
  }
}

async function isReadable(item: Item): Promise<boolean> {
  try {
    const file = await item.open?.();
    await file?.slice(0, 1).arrayBuffer();
    return file !== undefined;
  } catch {
    return false;
  }
}
