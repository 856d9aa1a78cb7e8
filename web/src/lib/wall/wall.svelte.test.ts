// @vitest-environment happy-dom
import { flushSync } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api } from "#lib/api/client.ts";
import { Wall } from "./wall.svelte.ts";

const LOOK_MILLISECONDS = 4000;
const ANSWER_MILLISECONDS = 50;
const show = {
  event_name: "Gala",
  event_code: "GALA26",
  invite_url: "http://findme.test/e/GALA26",
  photos: [],
};

/** Open a wall as a page does, where each look is answered so; return what was asked, and its end. */
function opened(data: object, status: number): { asked: () => number; end: () => void } {
  const response = new Response(null, { status });
  const get = vi.spyOn(api, "GET").mockImplementation(async () => {
    await new Promise((resolve) => setTimeout(resolve, ANSWER_MILLISECONDS));
    return { data, response } as never;
  });
  const wall = new Wall("link");
  const end = $effect.root(() => {
    $effect(() => wall.open());
  });
  return { asked: () => get.mock.calls.length, end };
}

async function pass(milliseconds: number): Promise<void> {
  for (let look = 0; look < 100; look += 1) {
    flushSync();
    await vi.advanceTimersByTimeAsync(milliseconds / 100);
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("looks once in four seconds, whatever it finds", async () => {
  const { asked, end } = opened(show, 200);
  await pass(2.5 * LOOK_MILLISECONDS);
  expect(asked()).toBe(3);
  end();
});

it("asks for nothing more once it was taken down", async () => {
  const { asked, end } = opened({}, 404);
  await pass(2.5 * LOOK_MILLISECONDS);
  expect(asked()).toBe(1);
  end();
});
