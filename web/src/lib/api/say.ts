import { t } from "#lib/i18n/words.svelte.ts";
import { Problem } from "./client.ts";

/** Return what happened, and what to do, in the reader's language. */
export function say(error: unknown): string {
  const words = t().problem;
  if (!(error instanceof Problem)) return words.other;
  if (error.status === 0) return navigator.onLine ? words.broken : words.offline;
  if (error.status === 429) return words.wait(Math.max(1, error.retryAfterSeconds));
  if (error.status === 503) return words.busy;
  return words.other;
}
