import { expect, test } from "vitest";
import { ownZone, placeOf, zonesWith } from "./zones.ts";

test("an event's zone can be chosen though the browser calls it otherwise", () => {
  const zones = zonesWith("Asia/Nowhere", "");
  expect(zones).toContain("Asia/Nowhere");
  expect(zones).toContain("Europe/Paris");
  expect(zones).toContain("UTC");
  expect(zones).not.toContain("");
  expect(zones).toEqual([...new Set(zones)].sort());
});

test("one's own zone is one of them", () => {
  expect(zonesWith(ownZone())).toContain(ownZone());
});

test("a place is read without underscores", () => {
  expect(placeOf("America/New_York")).toBe("America/New York");
});
