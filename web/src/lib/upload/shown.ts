/** What the tray says of a queue. */
import type { Sums, UploadQueue } from "./queue.ts";
import type { Halt } from "./rules.ts";

export interface Shown {
  sums: Sums;
  isIdle: boolean;
  isPaused: boolean;
  halt: Halt | null;
  /** Bytes a second. */
  speed: number;
  /** Undefined where there is no speed to reckon with. */
  secondsLeft: number | undefined;
}

/** Return it as it is now, in milliseconds; undefined of a queue that has nothing. */
export function shownOf(queue: UploadQueue, now: number): Shown | undefined {
  const sums = queue.sums();
  if (!sums.all) return undefined;
  const { isIdle, isPaused, halt } = queue;
  const speed = queue.speed.at(now);
  const left = sums.bytes - sums.settledBytes;
  const secondsLeft = speed > 0 ? left / speed : undefined;
  return { sums, isIdle, isPaused, halt, speed, secondsLeft };
}
