// @vitest-environment happy-dom
import { describe, expect, test } from "vitest";
import { Problem, type ApiPhoto } from "#lib/api/client.ts";
import { nextCursor } from "./api.ts";
import { PhotoList, type Page } from "./list.svelte.ts";
import { photoOf } from "./photo.ts";

const photo = (id: number): ApiPhoto =>
  ({ id, width: 3, height: 2, uploaded_at: "2026-11-28T12:00:00Z", url: "" }) as ApiPhoto;

/** A server with these photos, in pages of two. */
function listOf(ids: number[], mayShow = true) {
  const server = { ids, mayShow, fails: false, pages: 0 };
  const fetch = (_: number, cursor: string | null): Promise<Page> => {
    server.pages += 1;
    if (server.fails) return Promise.reject(new Problem(0));
    const at = Number(cursor ?? 0);
    return Promise.resolve({
      photos: server.ids
        .slice(at, at + 2)
        .map(photo)
        .map(photoOf),
      cursor: at + 2 < server.ids.length ? String(at + 2) : null,
    });
  };
  const list = new PhotoList(fetch, () => server.mayShow);
  const ids_ = (): number[] => list.photos.map(({ id }) => id);
  return { server, list, ids: ids_ };
}

describe("a list of photos", () => {
  test("is loaded page by page to its end", async () => {
    const { list, ids } = listOf([5, 4, 3, 2, 1]);
    await list.refresh();
    expect(ids()).toEqual([5, 4, 3, 2, 1]);
    expect(list.isComplete).toBe(true);
  });

  test("holds new photos back where they would move what one looks at", async () => {
    const { server, list, ids } = listOf([2, 1], false);
    await list.refresh();
    server.ids = [4, 3, 2, 1];
    await list.refresh();
    expect(ids()).toEqual([2, 1]);
    expect(list.fresh).toHaveLength(2);
    list.showFresh();
    expect(ids()).toEqual([4, 3, 2, 1]);
    expect(list.arrived).toEqual(new Set([4, 3]));
  });

  test("shows them at once at the top, and drops what is gone", async () => {
    const { server, list, ids } = listOf([3, 2, 1]);
    await list.refresh();
    server.ids = [4, 3, 1];
    await list.refresh();
    expect(ids()).toEqual([4, 3, 1]);
  });

  test("asks for no more pages than there are new ones", async () => {
    const { server, list, ids } = listOf([6, 5, 4, 3, 2, 1], false);
    await list.refresh();
    server.ids = [8, 7, 6, 5, 4, 3, 2, 1];
    server.pages = 0;
    await list.refresh("newest");
    expect(server.pages).toBe(2);
    expect(list.fresh.map(({ id }) => id)).toEqual([8, 7]);
    expect(ids()).toEqual([6, 5, 4, 3, 2, 1]);
    server.ids = [9, ...server.ids];
    await list.refresh("newest");
    expect(list.fresh.map(({ id }) => id)).toEqual([9, 8, 7]);
    list.showFresh();
    expect(ids()).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  test("finds a photo that was told of wherever it lies", async () => {
    const { server, list, ids } = listOf([9, 8, 7, 5, 4]);
    await list.refresh();
    server.ids = [9, 8, 7, 6, 5, 4];
    await list.refreshFor("newest", [6]);
    expect(ids()).toEqual(server.ids);
  });

  test("keeps out what its guest took out, until it is taken back", async () => {
    const { list, ids } = listOf([3, 2, 1]);
    await list.refresh();
    const gone = list.photos[1]!;
    list.remove([gone.id]);
    await list.refresh(); // the server has not heard of it yet
    expect(ids()).toEqual([3, 1]);
    list.restore(gone, 1);
    expect(ids()).toEqual([3, 2, 1]);
  });

  test("keeps what it has when the connection breaks, and says so", async () => {
    const { server, list, ids } = listOf([2, 1]);
    await list.refresh();
    server.fails = true;
    await list.refresh();
    expect(ids()).toEqual([2, 1]);
    expect(list.problem?.status).toBe(0);
    server.fails = false;
    await list.refresh();
    expect(list.problem).toBeUndefined();
  });
});

test("the next page is the one that the Link header names", () => {
  expect(nextCursor('</api/x?limit=2&cursor=a%2Fb>; rel="next"')).toBe("a/b");
  expect(nextCursor('</api/x?cursor=a>; rel="prev"')).toBeNull();
  expect(nextCursor(null)).toBeNull();
});
