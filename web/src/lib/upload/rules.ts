/** What the upload queue decides, without a browser: what is sent how, and what an error means. */

/** From here on a file is sent so that it goes on where it broke off. */
export const RESUMABLE_FROM_BYTES = 8 * 1024 * 1024;
export const PIECE_BYTES = 8 * 1024 * 1024;

/** Uploads at once, at first; more where that is faster. */
export const FIRST_PARALLEL = 3;
/** Browsers have six connections to a server by HTTP/1.1: two are left to the page. */
export const MOST_PARALLEL = 4;
/** The same where one connection carries all. */
export const MOST_PARALLEL_MULTIPLEXED = 8;
/** So much faster must another upload at once make it. */
const WORTH_IT = 1.05;
const NOT_WORTH_IT = 0.85;

/** Tries of a file that the server fails at. */
export const MOST_TRIES = 5;
const FIRST_WAIT_MILLISECONDS = 1000;
const LONGEST_WAIT_MILLISECONDS = 30_000;

/** Whether bytes that break off are gone on with. */
export function isResumable(size: number): boolean {
  return size > RESUMABLE_FROM_BYTES;
}

/** Return how long to wait before the try after so many failed ones. */
export function waitBefore(failed: number): number {
  return Math.min(
    LONGEST_WAIT_MILLISECONDS,
    FIRST_WAIT_MILLISECONDS * 2 ** Math.max(0, failed - 1),
  );
}

/** Return how many files are to be sent at once, by what one more or less has done to the speed. */
export function nextParallel(now: number, speed: number, before: number, most: number): number {
  if (speed > before * WORTH_IT) return Math.min(most, now + 1);
  if (speed < before * NOT_WORTH_IT) return Math.max(1, now - 1);
  return now;
}

/** Why all of the queue stands still. */
export type Halt = "network" | "busy" | "full" | "signedOut" | "gone" | "manyPhotos";
/** Why one file is not in the event. */
export type Reason = "large" | "empty" | "unreadable" | "refused" | "server";

export type Verdict =
  | { kind: "halt"; halt: Halt; seconds: number }
  | { kind: "retry" }
  | { kind: "file"; reason: Reason };

/** Return what an answer that was no success means; status 0 is none at all. */
export function judge(status: number, retryAfterSeconds = 0, detail = ""): Verdict {
  const halt = (why: Halt): Verdict => ({ kind: "halt", halt: why, seconds: retryAfterSeconds });
  const file = (reason: Reason): Verdict => ({ kind: "file", reason });
  switch (status) {
    case 0:
      return halt("network");
    case 401:
      return halt("signedOut");
    case 403:
    case 404:
    case 410:
      return halt("gone");
    case 409:
      // An upload of ours elsewhere has the same offset; the next try asks where it is.
      return /photos/.test(detail) ? halt("manyPhotos") : { kind: "retry" };
    case 413:
      return file("large");
    case 423:
    case 460:
      return { kind: "retry" };
    case 429:
    case 502:
    case 503:
    case 504:
      return halt("busy");
    case 507:
      return halt("full");
    default:
      return status >= 500 ? { kind: "retry" } : file("refused");
  }
}

const PHOTOS = /\.(jpe?g|jpe|jfif|png|webp|heic|heif|hif|avif|tiff?|gif|bmp)$/i;
/** The same as the watcher's. */
const RAW =
  /\.(3fr|arw|cr2|cr3|crw|dcr|dng|erf|fff|gpr|iiq|k25|kdc|mef|mos|mrw|nef|nrw|orf|pef|raf|raw|rw2|rwl|sr2|srf|srw|x3f)$/i;
const VIDEOS = /\.(mp4|mov|m4v|avi|mts|m2ts|mkv|webm|mpe?g|3gp|insv|crm)$/i;

/** What a file in a folder is, by its name: unknown ones are sent, and looked at by the server. */
export type Kind = "photo" | "raw" | "video" | "aside";

export function kindOf(path: string): Kind {
  const parts = path.split("/");
  const name = parts.at(-1) ?? "";
  // What systems and cameras leave in folders.
  if (parts.some((part) => part.startsWith(".") || part === "__MACOSX")) return "aside";
  if (PHOTOS.test(name)) return "photo";
  if (RAW.test(name)) return "raw";
  if (VIDEOS.test(name)) return "video";
  return /\.\w+$/.test(name) ? "aside" : "photo";
}

/** By this a file is known again when its folder is chosen once more. */
export function keyOf(file: { eventId: number; path: string; size: number; modified: number }) {
  return `${file.eventId}|${file.path}|${file.size}|${file.modified}`;
}
