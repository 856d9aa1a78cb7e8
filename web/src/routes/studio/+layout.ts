import { frame } from "#lib/i18n/studio/frame.ts";
import { parts } from "#lib/i18n/studio/parts.ts";
import { upload } from "#lib/i18n/studio/upload.ts";

/** The studio's words are loaded with the studio alone. */
export async function load({ parent }: { parent: () => Promise<unknown> }): Promise<void> {
  await parent();
  await Promise.all([frame.load(), parts.load(), upload.load()]);
}
