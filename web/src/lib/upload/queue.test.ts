import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "#lib/api/client.ts";
import { UploadQueue, type Item, type Ports, type Told } from "./queue.ts";
import { judge, kindOf, nextParallel, waitBefore } from "./rules.ts";
import { Speed } from "./speed.ts";

/** A world in which files are sent as the test says. */
class World implements Ports {
  readonly there = new Set<string>();
  readonly sent: string[] = [];
  readonly hashed: string[] = [];
  answer: (item: Item, told: Told, signal: AbortSignal) => Promise<"queued" | "duplicate"> =
    async () => "queued";
  probing: () => Promise<void> = async () => undefined;
  atOnce = 0;
  mostAtOnce = 0;
  asked: number[] = [];

  async hash(file: Blob): Promise<string> {
    const text = await file.text();
    this.hashed.push(text);
    return text;
  }
  async existing(_: number, digests: string[]): Promise<Set<string>> {
    this.asked.push(digests.length);
    return new Set(digests.filter((digest) => this.there.has(digest)));
  }
  async send(item: Item, _: File, told: Told, signal: AbortSignal) {
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    try {
      const outcome = await this.answer(item, told, signal);
      this.sent.push(item.path);
      return outcome;
    } finally {
      this.atOnce -= 1;
    }
  }
  probe = () => this.probing();
  changed = () => undefined;
  now = () => Date.now();
  mostParallel = () => 4;
}

let world: World;
let queue: UploadQueue;
let next = 1;

const file = (path: string, content = path): Item => ({
  id: next++,
  eventId: 1,
  path,
  size: content.length,
  modified: 1,
  open: async () => new File([content], path),
  status: "waiting",
  sent: 0,
  tries: 0,
});
const files = (count: number): Item[] =>
  Array.from({ length: count }, (_, number) => file(`IMG_${number}.JPG`));
const settled = () => vi.waitFor(() => expect(queue.isIdle).toBe(true));

beforeEach(() => {
  world = new World();
  queue = new UploadQueue(world);
});

afterEach(() => vi.useRealTimers());

describe("a queue", () => {
  it("sends what the event has not, a few at once, and asks for many together", async () => {
    world.there.add("IMG_3.JPG");
    queue.add(files(100));
    await settled();
    expect(queue.sums()).toMatchObject({ all: 100, done: 99, duplicate: 1, failed: 0 });
    expect(world.sent).toHaveLength(99);
    expect(world.mostAtOnce).toBeLessThanOrEqual(4);
    expect(world.asked.length).toBeLessThan(10);
  });

  it("sends copies in one folder once", async () => {
    queue.add([file("a.jpg", "same"), file("b.jpg", "same"), file("c.jpg", "other")]);
    await settled();
    expect(world.sent).toEqual(["a.jpg", "c.jpg"]);
    expect(queue.sums()).toMatchObject({ done: 2, duplicate: 1 });
  });

  it("knows a folder again that is dropped twice", async () => {
    queue.add(files(5));
    await settled();
    queue.add(files(6));
    await settled();
    expect(queue.items).toHaveLength(6);
    expect(world.hashed).toHaveLength(6);
  });

  it("goes on with what was not at hand once its folder is there, without reading it again", async () => {
    queue.add([{ ...file("a.jpg"), open: undefined, status: "missing", sha256: "a.jpg" }]);
    expect(queue.sums().missing).toBe(1);
    queue.add([file("a.jpg")]);
    await settled();
    expect(world.sent).toEqual(["a.jpg"]);
    expect(world.hashed).toEqual([]);
  });

  it("waits while the network is away, and loses nothing", async () => {
    vi.useFakeTimers();
    let isAway = true;
    world.answer = async () => {
      if (isAway) throw new Problem(0);
      return "queued";
    };
    world.probing = async () => {
      if (isAway) throw new Problem(0);
    };
    queue.add(files(8));
    await vi.advanceTimersByTimeAsync(100);
    expect(queue.halt).toBe("network");
    await vi.advanceTimersByTimeAsync(120_000);
    expect(queue.halt).toBe("network");
    expect(queue.sums()).toMatchObject({ done: 0, failed: 0 });
    isAway = false;
    await vi.advanceTimersByTimeAsync(31_000);
    expect(queue.halt).toBeNull();
    expect(queue.sums().done).toBe(8);
  });

  it("goes on at once when it is told that the network is back", async () => {
    vi.useFakeTimers();
    let isAway = true;
    world.answer = async () => {
      if (isAway) throw new Problem(0);
      return "queued";
    };
    queue.add(files(2));
    await vi.advanceTimersByTimeAsync(100);
    isAway = false;
    queue.resume();
    await vi.advanceTimersByTimeAsync(0);
    expect(queue.sums().done).toBe(2);
  });

  it("waits for as long as a busy server asks", async () => {
    vi.useFakeTimers();
    let tries = 0;
    world.answer = async () => {
      if ((tries += 1) === 1) throw new Problem(503, "", 20);
      return "queued";
    };
    queue.add(files(1));
    await vi.advanceTimersByTimeAsync(19_000);
    expect([queue.halt, tries]).toEqual(["busy", 1]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(queue.sums().done).toBe(1);
  });

  it("stands still until one has signed in again", async () => {
    vi.useFakeTimers();
    let isIn = false;
    world.answer = async () => {
      if (!isIn) throw new Problem(401);
      return "queued";
    };
    queue.add(files(2));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(queue.halt).toBe("signedOut");
    isIn = true;
    queue.resume();
    await vi.advanceTimersByTimeAsync(0);
    expect(queue.sums().done).toBe(2);
  });

  it("names the file that is refused, and sends the others", async () => {
    world.answer = async (item) => {
      if (item.path === "IMG_1.JPG") throw new Problem(413);
      return "queued";
    };
    queue.add(files(4));
    await settled();
    expect(queue.sums()).toMatchObject({ done: 3, failed: 1 });
    const failed = queue.items.find((item) => item.status === "failed")!;
    expect(failed.reason).toBe("large");
    world.answer = async () => "queued";
    queue.retry(failed);
    await settled();
    expect(queue.sums()).toMatchObject({ done: 4, failed: 0 });
  });

  it("gives a file up that the server fails at again and again", async () => {
    vi.useFakeTimers();
    world.answer = async () => {
      throw new Problem(500);
    };
    queue.add(files(1));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(queue.items[0]).toMatchObject({ status: "failed", reason: "server" });
  });

  it("tells a file that is gone from a connection that is", async () => {
    let isThere = true;
    world.answer = async () => {
      isThere = false;
      throw new Problem(0);
    };
    const item = file("a.jpg");
    queue.add([
      {
        ...item,
        open: async () => {
          if (!isThere) throw new DOMException("gone", "NotFoundError");
          return new File(["a.jpg"], "a.jpg");
        },
      },
    ]);
    await settled();
    expect(queue.items[0]).toMatchObject({ status: "failed", reason: "unreadable" });
    expect(queue.halt).toBeNull();
  });

  it("stops in the middle of a file when paused, and goes on where it was", async () => {
    world.answer = (_, told, signal) =>
      new Promise((_, reject) => {
        told.url("/api/uploads/1");
        told.progress(3);
        signal.addEventListener("abort", () => reject(new Problem(0)));
      });
    queue.add([file("a.jpg")]);
    await vi.waitFor(() => expect(queue.items[0]?.sent).toBe(3));
    queue.pause();
    await vi.waitFor(() => expect(queue.items[0]?.status).toBe("ready"));
    expect(queue.items[0]).toMatchObject({ sent: 3, tusUrl: "/api/uploads/1" });
    world.answer = async () => "queued";
    queue.resume();
    await settled();
    expect(queue.sums().done).toBe(1);
  });
});

describe("a queue that was told to forget everything", () => {
  let isUp: PromiseWithResolvers<void>;

  beforeEach(() => {
    isUp = Promise.withResolvers();
  });

  /** Forget all as soon as the world was asked for something, and let it answer then. */
  async function forgetOnce(isAsked: () => boolean, answer: () => void): Promise<void> {
    await vi.waitFor(() => expect(isAsked()).toBe(true));
    queue.clear();
    queue.add([file("b.jpg")]);
    answer();
    await settled();
  }

  it("asks for nothing, and sends nothing, that was being read", async () => {
    const read = vi.spyOn(world, "hash").mockImplementationOnce(async () => {
      await isUp.promise;
      return "a.jpg";
    });
    const existing = vi.spyOn(world, "existing");
    queue.add([file("a.jpg")]);
    await forgetOnce(() => read.mock.calls.length > 0, isUp.resolve);
    expect(existing.mock.calls).toEqual([[1, ["b.jpg"]]]);
    expect(world.sent).toEqual(["b.jpg"]);
  });

  it("tells nobody of a file that could not be read", async () => {
    const changed = vi.spyOn(world, "changed");
    const read = vi.spyOn(world, "hash").mockImplementationOnce(async () => {
      await isUp.promise;
      throw new DOMException("gone", "NotFoundError");
    });
    const before = file("a.jpg");
    queue.add([before]);
    await vi.waitFor(() => expect(read).toHaveBeenCalled());
    changed.mockClear();
    await forgetOnce(() => true, isUp.resolve);
    expect(changed).not.toHaveBeenCalledWith(before);
  });

  it.each([
    ["has none of them", undefined],
    ["does not know who asks", new Problem(401)],
    ["is another's", new Problem(403)],
  ])("goes on with what came later, where the event asked before %s", async (_, problem) => {
    const existing = vi.spyOn(world, "existing").mockImplementationOnce(async () => {
      await isUp.promise;
      if (problem) throw problem;
      return new Set();
    });
    queue.add([file("a.jpg")]);
    await forgetOnce(() => existing.mock.calls.length > 0, isUp.resolve);
    expect(world.sent).toEqual(["b.jpg"]);
    expect(queue.halt).toBeNull();
  });

  it("does not send what was being opened", async () => {
    let opened = 0;
    const slow = file("a.jpg");
    const open = slow.open!;
    slow.open = async () => {
      if ((opened += 1) > 1) await isUp.promise;
      return open();
    };
    queue.add([slow]);
    await forgetOnce(() => opened > 1, isUp.resolve);
    expect(world.sent).toEqual(["b.jpg"]);
  });

  it("sends the same file once where it is chosen again", async () => {
    const read = vi.spyOn(world, "hash").mockImplementationOnce(async () => {
      await isUp.promise;
      return "b.jpg";
    });
    queue.add([file("b.jpg")]);
    await forgetOnce(() => read.mock.calls.length > 0, isUp.resolve);
    expect(world.sent).toEqual(["b.jpg"]);
    expect(queue.sums()).toMatchObject({ all: 1, done: 1 });
  });

  it("does not stand still for what the server says of before", async () => {
    let isAsked = false;
    world.answer = async () => {
      throw new Problem(503);
    };
    world.probing = async () => {
      isAsked = true;
      await isUp.promise;
      throw new Problem(401);
    };
    queue.add([file("a.jpg")]);
    await vi.waitFor(() => expect(queue.halt).toBe("busy"));
    queue.resume();
    await vi.waitFor(() => expect(isAsked).toBe(true));
    world.answer = async () => "queued";
    await forgetOnce(() => true, isUp.resolve);
    expect(queue.halt).toBeNull();
  });
});

it("does not read further ahead than it sends", async () => {
  world.answer = () => new Promise(() => undefined);
  queue.add(files(1000));
  // It is at rest once a whole turn has passed in which nothing was read.
  let before = -1;
  await vi.waitFor(() => {
    const { length } = world.hashed;
    const isAtRest = length > 0 && length === before;
    before = length;
    expect(isAtRest).toBe(true);
  });
  expect(world.hashed.length).toBeLessThan(80);
});

it.each([
  ["DCIM/100CANON/IMG_1.JPG", "photo"],
  ["a/.DS_Store", "aside"],
  ["__MACOSX/a.jpg", "aside"],
  ["IMG_1.CR3", "raw"],
  ["IMG_1.MRW", "raw"],
  ["MVI_1.MP4", "video"],
  ["notes.txt", "aside"],
  ["without-ending", "photo"],
])("knows by its name what %s is", (path, kind) => {
  expect(kindOf(path)).toBe(kind);
});

it.each([
  [0, "network"],
  [401, "signedOut"],
  [404, "gone"],
  [410, "gone"],
  [503, "busy"],
  [507, "full"],
])("stands still at %d: %s", (status, halt) => {
  expect(judge(status)).toEqual({ kind: "halt", halt, seconds: 0 });
});

it("waits longer each time, and never for long", () => {
  expect([1, 2, 3, 9].map(waitBefore)).toEqual([1000, 2000, 4000, 30_000]);
});

it("sends more at once as long as that is faster", () => {
  expect(nextParallel(3, 12, 10, 4)).toBe(4);
  expect(nextParallel(4, 12, 10, 4)).toBe(4);
  expect(nextParallel(4, 10, 10, 8)).toBe(4);
  expect(nextParallel(4, 5, 10, 8)).toBe(3);
  expect(nextParallel(1, 0, 10, 8)).toBe(1);
});

it("tells the speed of the last seconds", () => {
  const speed = new Speed();
  expect(speed.at(0)).toBe(0);
  speed.add(1000, 0);
  speed.add(1000, 1000);
  expect(speed.at(2000)).toBe(1000);
  expect(speed.at(20_000)).toBe(0);
});
