import { startWords } from "#lib/i18n/start/start.ts";

export async function load({ parent }: { parent: () => Promise<unknown> }): Promise<void> {
  await parent();
  await startWords.load();
}
