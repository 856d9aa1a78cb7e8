import { expect, it } from "vitest";
import { seenPart } from "./picture.ts";

it("takes of a wide camera what a phone's upright page shows of it", () => {
  const part = seenPart({ width: 1280, height: 720 }, { width: 360, height: 600 });
  expect(part).toEqual({ x: 424, y: 0, width: 432, height: 720 });
});

it("takes all of a camera of the page's shape, and of one that is not laid out", () => {
  const whole = { width: 960, height: 1280 };
  const all = { x: 0, y: 0, ...whole };
  expect(seenPart(whole, { width: 300, height: 400 })).toEqual(all);
  expect(seenPart(whole, { width: 0, height: 0 })).toEqual(all);
});
