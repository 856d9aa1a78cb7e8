/** Texts that are taken along by copying them. */
import { attempt } from "./attempt.ts";
import { toasts } from "./toasts.svelte.ts";

/** Copy a text and tell it, or what went wrong; returns whether it went well. */
export function copyAndTell(text: string, told: string): Promise<boolean> {
  return attempt(async () => {
    await copyText(text);
    toasts.say(told);
  });
}

/**
 * Copy a text. Pages by plain HTTP, as in a venue's own network, are given no clipboard by browsers:
 * there a field that is selected is copied, inside the dialog where one is open, as all else is inert.
 * Throws where neither is allowed.
 */
export async function copyText(text: string): Promise<void> {
  if ("clipboard" in navigator) return navigator.clipboard.writeText(text);
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "unseen";
  (focused?.closest("dialog") ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  if (!isCopied) throw new DOMException("nothing was copied", "NotAllowedError");
}
