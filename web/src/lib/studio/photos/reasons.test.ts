import { expect, it } from "vitest";
import { missingPercent, reasonOf } from "./reasons.ts";

it.each([
  ["The photo cannot be processed: the service broke down every time it tried.", "broke"],
  ["The photo could not be processed, in several attempts. Upload it again.", "broke"],
  ["The photo's file in the store is not what was uploaded. Upload it again.", "changed"],
  ["The image is cut off.", "unreadable"],
  [null, "unreadable"],
])("%s", (error, reason) => {
  expect(reasonOf(error)).toBe(reason);
});

it("tells how much of a photo is missing", () => {
  const cut =
    "The picture is damaged or cut off: 34 % of it is missing. Copy it from the camera again.";
  expect(missingPercent(cut)).toBe(34);
  expect(missingPercent("The picture is damaged, and parts of it may look wrong.")).toBe(0);
});
