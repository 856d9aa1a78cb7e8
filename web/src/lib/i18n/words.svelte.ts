/** The words of the page, in the reader's language: one language is fetched, not all. */
import type { Words } from "./en.ts";
import { formatsOf, type Formats } from "./formats.ts";

export const LANGUAGES = { en: "English", fr: "Français" } as const;
export type Language = keyof typeof LANGUAGES;

type Sources<W> = Record<Language, () => Promise<{ words: (f: Formats) => W }>>;

const STORED = "findme.language";

let current: Language = "en";
let formats = $state.raw<Formats>(formatsOf("en"));
const opened = new Set<{ follow(): Promise<void> }>();

/** The words of one area of the pages, fetched when somebody comes there (its page's `load`). */
export class Catalogue<W> {
  #words = $state.raw<W>();
  #language: Language | undefined;
  readonly #sources: Sources<W>;

  constructor(sources: Sources<W>) {
    this.#sources = sources;
  }

  /** Fetch the words; from then on they are those of the language that is chosen. */
  async load(): Promise<void> {
    opened.add(this);
    await this.follow();
  }

  async follow(): Promise<void> {
    if (this.#language === current) return;
    const language = current;
    const catalogue = await this.#sources[language]();
    if (language !== current) return; // another one was chosen meanwhile
    this.#words = catalogue.words(formats);
    this.#language = language;
  }

  get words(): W {
    if (!this.#words) throw new Error("words are used before they are loaded");
    return this.#words;
  }
}

const everybodys = new Catalogue<Words>({
  en: () => import("./en.ts"),
  fr: () => import("./fr.ts"),
});

/** The words that all pages share, and guests' pages. They are there before any page is. */
export function t(): Words {
  return everybodys.words;
}

/** Dates and numbers as the reader writes them. */
export function f(): Formats {
  return formats;
}

/** The language that was chosen here, else the first one of the browser's that we have. */
export function preferredLanguage(): Language {
  const wanted = [stored(), ...navigator.languages].map((one) => one?.slice(0, 2).toLowerCase());
  return wanted.find(isLanguage) ?? "en";
}

export async function loadWords(language: Language = preferredLanguage()): Promise<void> {
  current = language;
  formats = formatsOf(language === "en" ? regional() : language);
  opened.add(everybodys);
  await Promise.all([...opened].map((catalogue) => catalogue.follow()));
  document.documentElement.lang = language;
}

export async function chooseLanguage(language: Language): Promise<void> {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // A browser that keeps nothing: the choice holds for this page.
  }
  await loadWords(language);
}

function isLanguage(name: string | undefined): name is Language {
  return name !== undefined && name in LANGUAGES;
}

function stored(): string | undefined {
  try {
    return localStorage.getItem(STORED) ?? undefined;
  } catch {
    return undefined;
  }
}

/** "28 November" or "November 28": English as it is written where the reader is. */
function regional(): string {
  return navigator.languages.find((one) => one.toLowerCase().startsWith("en")) ?? "en";
}
