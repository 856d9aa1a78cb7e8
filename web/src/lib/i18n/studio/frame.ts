/** The words of the studio's frame: signing in, the list of events, an event's head and tabs. */
import { Catalogue } from "../words.svelte.ts";
import type { FrameWords } from "./frame.en.ts";

export const frame = new Catalogue<FrameWords>({
  en: () => import("./frame.en.ts"),
  fr: () => import("./frame.fr.ts"),
});
