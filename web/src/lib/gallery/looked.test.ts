import { describe, expect, test } from "vitest";
import { choose, withLookedAt } from "./looked.ts";
import type { Photo } from "./photo.ts";

const photo = (id: number): Photo => ({ id }) as Photo;
const photos = (...ids: number[]): Photo[] => ids.map(photo);

describe("a photo that is looked at", () => {
  test.each([
    ["others come before it", [6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1]],
    ["it leaves", [5, 4, 2, 1], [5, 4, 3, 2, 1]],
    ["it leaves as others come", [6, 5, 4, 2, 1], [6, 5, 4, 3, 2, 1]],
    ["it leaves with the one behind it", [5, 4, 1], [5, 4, 3, 1]],
    ["it leaves with all behind it", [5, 4], [5, 4, 3]],
    ["all leave", [], [3]],
  ])("stays when %s", (_, now, seen) => {
    const list = withLookedAt(photos(...now), photo(3), photos(5, 4, 3, 2, 1));
    expect(list.map(({ id }) => id)).toEqual(seen);
  });

  test("stays where it was however often others come and go", () => {
    let list: readonly Photo[] = photos(3, 2, 1);
    for (const now of [photos(3, 1), photos(4, 3, 1), photos(5, 4, 3)])
      list = withLookedAt(now, photo(2), list);
    expect(list.map(({ id }) => id)).toEqual([5, 4, 3, 2]);
  });
});

describe("photos that are chosen", () => {
  const chosen = (now: Photo[], id: number, from: number | undefined, before: number[]) => {
    const selection = new Set(before);
    choose(selection, now, id, from);
    return [...selection].toSorted((a, b) => b - a);
  };

  test.each([
    ["one more", 2, undefined, [4], [4, 2]],
    ["one no more", 4, undefined, [4, 2], [2]],
    ["a range", 2, 4, [4], [4, 3, 2]],
    ["a range upwards", 4, 2, [2], [4, 3, 2]],
    ["no range from one that left", 2, 9, [9], [9, 2]],
  ])("are %s", (_, id, from, before, after) => {
    expect(chosen(photos(5, 4, 3, 2, 1), id, from, before)).toEqual(after);
  });

  test("are those between two also after others came", () => {
    expect(chosen(photos(7, 6, 5, 4, 3, 2, 1), 2, 4, [4])).toEqual([4, 3, 2]);
  });
});
