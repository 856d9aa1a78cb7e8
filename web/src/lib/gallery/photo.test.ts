import { expect, it } from "vitest";
import { nameFor } from "./photo.ts";

it.each([
  ["DSC_1.NEF", "image/jpeg", "DSC_1.jpg"],
  ["IMG_1.JPG", "image/jpeg", "IMG_1.JPG"],
  ["a.b.tiff", "image/jpeg", "a.b.jpg"],
  ["IMG_1.HEIC", "image/heic", "IMG_1.HEIC"],
])("calls %s that comes as %s what it is", (filename, type, expected) => {
  expect(nameFor(filename, type)).toBe(expected);
});
