import { say } from "#lib/api/say.ts";
import { toasts } from "./toasts.svelte.ts";

/** Do something, and say what went wrong; returns whether it went well. */
export async function attempt(what: () => Promise<void>): Promise<boolean> {
  try {
    await what();
    return true;
  } catch (error) {
    toasts.say(say(error));
    return false;
  }
}
