import { expect, it } from "vitest";
import { PREVIEW_SIDE, sizeOf, THUMBNAIL_SIDE } from "./renditions.ts";

it.each([
  [4032, 3024, 1600, 1200],
  [3024, 4032, 1200, 1600],
  [4000, 2000, 1600, 800],
  [16_382, 3628, 3612, 800],
  [3628, 16_382, 800, 3612],
  [6000, 1000, 4800, 800],
  [30_000, 1000, 10_733, 358],
  [800, 600, 800, 600],
])("knows that the preview of %d x %d has %d x %d", (width, height, shown, high) => {
  expect(sizeOf({ width, height }, PREVIEW_SIDE)).toEqual({ width: shown, height: high });
});

it("knows thumbnails, too", () => {
  expect(sizeOf({ width: 3024, height: 4032 }, THUMBNAIL_SIDE)).toEqual({
    width: 300,
    height: 400,
  });
});
