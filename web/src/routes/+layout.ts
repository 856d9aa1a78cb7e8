import { browser } from "$app/env";
import { loadWords } from "#lib/i18n/words.svelte.ts";

export const ssr = false;
export const prerender = false;

/** Asked for at once, beside the page's own code: each way there and back counts. */
const first = browser ? loadWords().catch(() => undefined) : undefined;

/** No page is shown before its words are there. */
export async function load(): Promise<void> {
  await first;
  await loadWords();
}
