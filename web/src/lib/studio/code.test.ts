import { describe, expect, it } from "vitest";
import { isCode, suggestCode, tidyCode } from "./code.ts";

const first = () => 0;

describe("a code that is suggested", () => {
  it.each([
    ["Gala of the Harbour", "GALAAAAA"],
    ["The Wedding of Zoë", "WEDDINAAAA"],
    ["Été 26", "ETEAAAAA"],
    ["", "AAAAAAAA"],
    ["婚礼", "AAAAAAAA"],
  ])("reminds of %j", (name, code) => {
    expect(suggestCode(name, first)).toBe(code);
  });

  it("is another one each time, and one that may be used", () => {
    const codes = Array.from({ length: 50 }, () => suggestCode("Gala"));
    expect(new Set(codes).size).toBeGreaterThan(40);
    expect(codes.every(isCode)).toBe(true);
  });
});

it("is compared without white space and case", () => {
  expect(tidyCode(" gala 26 x")).toBe("GALA26X");
  expect(isCode("gala 26")).toBe(true);
  expect(isCode("GALA")).toBe(false);
  expect(isCode("GALA_2026")).toBe(false);
});
