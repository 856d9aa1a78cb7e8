import { describe, expect, it } from "vitest";
import { accentOf, contrastOf, READABLE } from "./accent.ts";

const COLOURS = ["#b93e14", "#ffee00", "#000000", "#ffffff", "#0b6e4f", "#7777ff", "#808080"];

describe.each([
  ["light", "#fbfaf8"],
  ["dark", "#121314"],
] as const)("an event's colour in the %s look", (look, ground) => {
  it.each(COLOURS)("%s can be read on the page, and what is written on it", (colour) => {
    const found = accentOf(colour, look);
    expect(contrastOf(found?.accent ?? "", ground)).toBeGreaterThanOrEqual(READABLE);
    expect(contrastOf(found?.accent ?? "", found?.onAccent ?? "")).toBeGreaterThanOrEqual(READABLE);
  });
});

it("stays as it was chosen where it can be read", () => {
  expect(accentOf("#B93E14", "light")).toEqual({ accent: "#b93e14", onAccent: "#ffffff" });
});

it("is none where it is no colour", () => {
  expect(accentOf("red", "light")).toBeUndefined();
});
