// @vitest-environment happy-dom
import { beforeEach, expect, it, vi } from "vitest";
import type { Ports } from "./queue.ts";
import type { KeptItem, Keeper } from "./store.ts";
import { Uploads } from "./uploads.svelte.ts";

const ANNA = 1;
const BEN = 2;

/** What is kept, in memory: happy-dom has no IndexedDB. */
class Shelf implements Keeper {
  items = new Map<number, KeptItem>();
  roots = new Map<number, { accountId: number; handle: FileSystemDirectoryHandle }>();

  async load(accountId: number) {
    const roots = [...this.roots].filter(([, root]) => root.accountId === accountId);
    return {
      items: this.of(accountId),
      roots: new Map(roots.map(([id, { handle }]) => [id, handle])),
    };
  }
  async keep(items: readonly KeptItem[]) {
    for (const item of items) this.items.set(item.id, item);
  }
  async keepRoot(id: number, accountId: number, handle: FileSystemDirectoryHandle) {
    this.roots.set(id, { accountId, handle });
  }
  async clear(accountId: number) {
    for (const kept of [this.items, this.roots])
      for (const [id, one] of kept) if (one.accountId === accountId) kept.delete(id);
  }
  of(accountId: number): KeptItem[] {
    return [...this.items.values()].filter((item) => item.accountId === accountId);
  }
}

const kept = (id: number, accountId: number, status: KeptItem["status"]): KeptItem => ({
  id,
  accountId,
  eventId: 1,
  path: `${id}.jpg`,
  size: 1,
  modified: 1,
  status,
  sha256: undefined,
  tusUrl: undefined,
  rootId: undefined,
});
const folder = { name: "DCIM" } as FileSystemDirectoryHandle;
const photo = (name: string) => new File([name], name);

let shelf: Shelf;
let sent: string[];
let read: Ports["hash"];
let uploads: Uploads;

beforeEach(() => {
  shelf = new Shelf();
  sent = [];
  read = (file) => file.text();
  uploads = new Uploads(
    {
      hash: (file) => read(file),
      existing: async () => new Set(),
      send: async (item) => {
        sent.push(item.path);
        return "queued";
      },
      probe: async () => undefined,
      mostParallel: () => 4,
    },
    shelf,
  );
});

it("forgets what an account has sent, and nothing that another has left", async () => {
  await shelf.keep([kept(1, ANNA, "waiting"), kept(2, BEN, "done")]);
  await shelf.keepRoot(3, ANNA, folder);
  await uploads.begin(BEN);
  expect(shelf.of(BEN)).toEqual([]);
  expect(shelf.of(ANNA)).toHaveLength(1);
  expect(shelf.roots.size).toBe(1);
});

it("clears what is the account's alone", async () => {
  await shelf.keep([kept(1, ANNA, "waiting"), kept(2, BEN, "waiting")]);
  await shelf.keepRoot(3, ANNA, folder);
  await shelf.keepRoot(4, BEN, folder);
  await uploads.begin(BEN);
  expect(uploads.items.map(({ path }) => path)).toEqual(["2.jpg"]);
  uploads.clear();
  await vi.waitFor(() => expect(shelf.of(BEN)).toEqual([]));
  expect(shelf.of(ANNA)).toHaveLength(1);
  expect([...shelf.roots.keys()]).toEqual([3]);
});

it("keeps what an account has left as its own when another comes, and sends none of it", async () => {
  const isRead: PromiseWithResolvers<void> = Promise.withResolvers();
  let isReading = false;
  read = async (file) => {
    isReading = true;
    await isRead.promise;
    return file.text();
  };
  await uploads.begin(ANNA);
  uploads.choose(1, [photo("anna.jpg")]);
  await vi.waitFor(() => expect(isReading).toBe(true));
  await uploads.begin(BEN);
  expect(uploads.items).toEqual([]);
  expect(uploads.shown).toBeUndefined();
  expect(shelf.of(ANNA).map(({ path }) => path)).toEqual(["anna.jpg"]);

  uploads.choose(1, [photo("ben.jpg")]);
  isRead.resolve();
  await vi.waitFor(() => expect(sent).toEqual(["ben.jpg"]));
  await uploads.begin(ANNA);
  expect(shelf.of(BEN).map(({ path }) => path)).toEqual(["ben.jpg"]);
  expect(uploads.items.map(({ path, status }) => [path, status])).toEqual([
    ["anna.jpg", "missing"],
  ]);
});

it("sends a raw file where nothing of its shot is sent in its place", async () => {
  await uploads.begin(ANNA);
  uploads.choose(1, ["a.CR3", "a.jpg", "b.NEF", "c.CR2", "c.png", "d.X3F"].map(photo));
  await vi.waitFor(() => expect(sent.toSorted()).toEqual(["a.jpg", "b.NEF", "c.CR2", "c.png"]));
  expect(uploads.leftOut).toMatchObject({ raw: 1, strangeRaw: 1, unsureRaw: 0 });
});

it("sends no raw file of a folder that went away before the picture of its shot was found", async () => {
  await uploads.begin(ANNA);
  function* goesAway() {
    yield photo("0.jpg");
    for (let number = 0; number < 249; number += 1) yield photo(`${number}.CR3`);
    throw new DOMException("gone", "NotFoundError");
  }
  uploads.choose(1, goesAway());
  await vi.waitFor(() => expect(uploads.isFinding).toBe(false));
  expect(uploads.items.map(({ path }) => path)).toEqual(["0.jpg"]);
  expect(uploads.leftOut).toMatchObject({ raw: 1, strangeRaw: 0, unsureRaw: 248 });
});

it("sends what was found of a folder that went away", async () => {
  await uploads.begin(ANNA);
  function* goesAway() {
    for (let number = 0; number < 253; number += 1) yield photo(`${number}.jpg`);
    throw new DOMException("gone", "NotFoundError");
  }
  uploads.choose(1, goesAway());
  await vi.waitFor(() => expect(uploads.isFinding).toBe(false));
  expect(uploads.items).toHaveLength(253);
});

it.each([
  ["another comes", () => uploads.begin(BEN)],
  ["all is forgotten", () => uploads.clear()],
])("looks through a folder no further when %s", async (_, end) => {
  await uploads.begin(ANNA);
  let taken = 0;
  let isLookedThrough = false;
  function* all() {
    for (let number = 0; number < 600; number += 1) {
      if (number === 300) {
        taken = uploads.items.length;
        void end();
      }
      yield photo(`${number}.jpg`);
    }
    isLookedThrough = true;
  }
  uploads.choose(1, all());
  await vi.waitFor(() => expect(uploads.isFinding).toBe(false));
  expect(taken).toBeGreaterThan(0);
  expect(uploads.items).toEqual([]);
  expect(isLookedThrough).toBe(false);
});
