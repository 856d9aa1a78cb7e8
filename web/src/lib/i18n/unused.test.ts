import { expect, test } from "vitest";
import { formatsOf, type Formats } from "./formats.ts";

type Catalogue = { words: (f: Formats) => object };

const catalogues = import.meta.glob<Catalogue>(["./en.ts", "./*/*.en.ts"], { eager: true });
const sources = import.meta.glob<string>(
  ["../../**/*.{svelte,ts,json}", "!./**", "!../../**/*.test.ts"],
  { eager: true, query: "?raw", import: "default" },
);
const code = Object.values(sources).join("\n");
/** Whatever is looked up by its name, and the names in texts by which some are chosen. */
const used = new Set(
  [...code.matchAll(/\.(\w+)|["'`]([\w-]+)["'`]|\b(\w+):/g)].map((found) =>
    found.slice(1).join(""),
  ),
);

function keys(words: object): string[] {
  return Object.entries(words).flatMap(([key, value]) =>
    typeof value === "object" && !Array.isArray(value) ? [key, ...keys(value as object)] : [key],
  );
}

// That none is missing in another language, or where it is used, the compiler says.
test.each(Object.entries(catalogues))("every word of %s is said somewhere", (_, { words }) => {
  expect(keys(words(formatsOf("en"))).filter((key) => !used.has(key))).toEqual([]);
});
