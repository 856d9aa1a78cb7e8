/** The words of uploads: the tray, the tab, and the ways from cameras. */
import { Catalogue } from "../words.svelte.ts";
import type { UploadWords } from "./upload.en.ts";

export const upload = new Catalogue<UploadWords>({
  en: () => import("./upload.en.ts"),
  fr: () => import("./upload.fr.ts"),
});
