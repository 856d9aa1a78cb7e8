import { expect, test } from "vitest";
import { isGood, isGuestPage, kindOf, leaves } from "./rules.ts";

const at = (path: string): URL => new URL(path, "http://here");
const PICTURE = "/api/media/events/3/renditions/a.jpg/thumbnail.webp";

test.each([
  ["/api/user/events", "list"],
  ["/api/user/events/3/photos?limit=60", "list"],
  ["/api/user/events/3/favourites", "list"],
  ["/api/events/3/stream", undefined],
  ["/api/photographer/events", undefined],
  ["/api/me/export", undefined],
  ["/_app/immutable/entry/start.js", "code"],
  [PICTURE, "thumbnail"],
  [PICTURE.replace("thumbnail", "preview"), "preview"],
  ["/api/media/events/3/photos/a.jpg", undefined],
])("of %s is kept: %s", (path, kind) => {
  expect(kindOf(at(path))).toBe(kind);
});

test("a signed address is good until it says, and one that says nothing is not", () => {
  expect(isGood(at(`${PICTURE}?e=2000&s=x`), 1_999_000)).toBe(true);
  expect(isGood(at(`${PICTURE}?e=2000&s=x`), 2_000_000)).toBe(false);
  expect(isGood(at(PICTURE), 0)).toBe(false);
  expect(isGood(at("/api/user/events"), 9e12)).toBe(true);
});

test("guests' pages go on without a network, and no others", () => {
  expect(["/", "/e/GALA24", "/e/GALA24/me"].every(isGuestPage)).toBe(true);
  expect(["/studio", "/admin", "/wall", "/start", "/elsewhere"].some(isGuestPage)).toBe(false);
});

test("whoever leaves, or comes, leaves nothing behind", () => {
  expect(leaves("POST", "/api/logout")).toBe(true);
  expect(leaves("DELETE", "/api/me")).toBe(true);
  expect(leaves("GET", "/api/me")).toBe(false);
});
