/** The words of an event's parts: its photos, people, guests and settings. */
import { Catalogue } from "../words.svelte.ts";
import type { PartsWords } from "./parts.en.ts";

export const parts = new Catalogue<PartsWords>({
  en: () => import("./parts.en.ts"),
  fr: () => import("./parts.fr.ts"),
});
