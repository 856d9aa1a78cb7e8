import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** Of transitions: what they last is said by the tokens that end them for who wants no motion. */
const TRANSITION = /(?<![-\w])transition:([^;]+);/g;

it("has no transition that goes on for who wants no motion", () => {
  const kept: string[] = [];
  for (const name of readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })) {
    if (!/\.(svelte|css)$/.test(name)) continue;
    const text = readFileSync(join(import.meta.dirname, name), "utf8");
    for (const [, said = ""] of text.matchAll(TRANSITION))
      if (/\d(ms|s)\b/.test(said)) kept.push(`${name}: ${said.trim()}`);
  }
  expect(kept).toEqual([]);
});
