import { afterEach, describe, expect, test, vi } from "vitest";
import { inOrder, type Order } from "./order.ts";
import type { Photo } from "./photo.ts";

const photo = (
  id: number,
  arrivedAt: string,
  takenAt: string | null,
  takenOffset: number | null = null,
): Photo => ({
  id,
  url: "",
  thumbnail: "",
  preview: "",
  ratio: 1.5,
  width: 3,
  height: 2,
  placeholder: null,
  takenAt,
  takenOffset,
  arrivedAt,
  filename: "a.jpg",
});

/** As the API gives them: the last that came first. */
const PHOTOS = [
  photo(5, "2026-06-13T18:00:00Z", "2026-06-13T10:00:00"),
  photo(4, "2026-06-13T17:00:00Z", null),
  photo(3, "2026-06-12T16:00:00Z", "2026-06-14T15:00:00"),
  photo(2, "2026-06-12T15:00:00Z", "2026-06-13T10:00:00"),
];

afterEach(() => vi.unstubAllEnvs());

describe.each(["UTC", "America/Los_Angeles", "Pacific/Honolulu", "Pacific/Auckland"])(
  "on a device in %s",
  (zone) => {
    test.each<[Order, number[]]>([
      ["arrived", [5, 4, 3, 2]],
      ["taken", [3, 4, 5, 2]],
      ["day", [2, 5, 4, 3]],
    ])("photos in the order %s", (order, ids) => {
      vi.stubEnv("TZ", zone);
      expect(new Date("2026-06-13T12:00:00").getTimezoneOffset() === 0).toBe(zone === "UTC");
      expect(inOrder(PHOTOS, order, null).map(({ id }) => id)).toEqual(ids);
    });
  },
);

test("in a time zone clocks and arrivals are compared by what they are in UTC", () => {
  const photos = [
    photo(3, "2026-06-13T12:30:00Z", null),
    photo(2, "2026-06-13T18:00:00Z", "2026-06-13T15:00:00", 120),
    photo(1, "2026-06-13T18:00:00Z", "2026-06-13T14:00:00", 120),
  ];
  const ids = (zone: string | null) => inOrder(photos, "day", zone).map(({ id }) => id);
  expect(ids("Europe/Paris")).toEqual([1, 3, 2]);
  expect(ids(null)).toEqual([3, 1, 2]);
});
