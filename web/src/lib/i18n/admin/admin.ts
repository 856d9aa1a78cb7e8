/** The words of the admin's pages. */
import { Catalogue } from "../words.svelte.ts";
import type { AdminWords } from "./admin.en.ts";

export const adminWords = new Catalogue<AdminWords>({
  en: () => import("./admin.en.ts"),
  fr: () => import("./admin.fr.ts"),
});
