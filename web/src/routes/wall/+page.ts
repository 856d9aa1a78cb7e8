import { wallWords } from "#lib/i18n/wall/wall.ts";

export async function load({ parent }: { parent: () => Promise<unknown> }): Promise<void> {
  await parent();
  await wallWords.load();
}
