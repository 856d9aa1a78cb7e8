/** The words of sharing an event. */
import { Catalogue } from "../words.svelte.ts";
import type { ShareWords } from "./share.en.ts";

export const shareWords = new Catalogue<ShareWords>({
  en: () => import("./share.en.ts"),
  fr: () => import("./share.fr.ts"),
});
