import { beforeEach, expect, test } from "vitest";
import { Keeper } from "./keeper.ts";
import { CODE, MINE } from "./rules.ts";

/** A browser's caches as far as they are used: a deleted one is another than what is opened next. */
class Caches {
  readonly kept = new Map<string, Set<string>>();

  open(name: string): Promise<Pick<Cache, "put">> {
    const cache = this.kept.get(name) ?? new Set();
    this.kept.set(name, cache);
    return Promise.resolve({
      put: (address) => {
        cache.add(address as string);
        return Promise.resolve();
      },
    });
  }

  delete(name: string): Promise<boolean> {
    return Promise.resolve(this.kept.delete(name));
  }
}

const LIST = "/api/user/events";
const answer = (): Response => new Response("[]");

let caches: Caches;
let keeper: Keeper;
const kept = (name: string): string[] => [...(caches.kept.get(name) ?? [])];

beforeEach(() => {
  caches = new Caches();
  keeper = new Keeper(caches as unknown as CacheStorage);
});

test("what a guest asked for is kept until they leave", async () => {
  expect(await keeper.add(MINE, LIST, answer(), keeper.stay)).toBe(true);
  expect(kept(MINE)).toEqual([LIST]);
  await keeper.forget();
  expect(kept(MINE)).toEqual([]);
});

test("an answer that comes after they left is not kept", async () => {
  const { stay } = keeper;
  await keeper.forget();
  expect(await keeper.add(MINE, LIST, answer(), stay)).toBe(false);
  expect(kept(MINE)).toEqual([]);
});

test("nor is one that was asked for, or comes, while all is emptied", async () => {
  const before = keeper.stay;
  const leaving = keeper.forget();
  const adding = [before, keeper.stay].map((stay) => keeper.add(MINE, LIST, answer(), stay));
  await Promise.all([leaving, ...adding]);
  expect(kept(MINE)).toEqual([]);
});

test("nor is one that is being added as they leave", async () => {
  const adding = keeper.add(MINE, LIST, answer(), keeper.stay);
  await Promise.all([keeper.forget(), adding]);
  expect(kept(MINE)).toEqual([]);
});

test("the pages' code is nobody's, and the next guest's is kept again", async () => {
  const { stay } = keeper;
  await keeper.forget();
  expect(await keeper.add(CODE, "/_app/immutable/a.js", answer(), stay)).toBe(true);
  expect(await keeper.add(MINE, LIST, answer(), keeper.stay)).toBe(true);
  expect(kept(MINE)).toEqual([LIST]);
});
