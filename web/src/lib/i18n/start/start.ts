/** The words of the first start. */
import { Catalogue } from "../words.svelte.ts";
import type { StartWords } from "./start.en.ts";

export const startWords = new Catalogue<StartWords>({
  en: () => import("./start.en.ts"),
  fr: () => import("./start.fr.ts"),
});
