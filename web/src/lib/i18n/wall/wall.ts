/** The words of walls. */
import { Catalogue } from "../words.svelte.ts";
import type { WallWords } from "./wall.en.ts";

export const wallWords = new Catalogue<WallWords>({
  en: () => import("./wall.en.ts"),
  fr: () => import("./wall.fr.ts"),
});
