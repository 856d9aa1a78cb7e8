import { adminWords } from "#lib/i18n/admin/admin.ts";

/** The admin's words are loaded with the admin's pages alone. */
export async function load({ parent }: { parent: () => Promise<unknown> }): Promise<void> {
  await parent();
  await adminWords.load();
}
