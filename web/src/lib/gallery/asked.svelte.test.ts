// @vitest-environment happy-dom
import { flushSync } from "svelte";
import { afterEach, expect, it, vi } from "vitest";
import type { JoinedEvent } from "#lib/api/client.ts";
import { EventGallery } from "./gallery.svelte.ts";
import { PhotoList, type Page } from "./list.svelte.ts";
import type { Photo } from "./photo.ts";

const page: Page = { photos: [{ id: 1 } as Photo], cursor: null };

/** Run what an effect does until nothing is left to do, and return what ends it. */
async function inEffect(what: () => (() => void) | undefined): Promise<() => void> {
  const end = $effect.root(() => {
    $effect(what);
  });
  for (let look = 0; look < 100; look += 1) {
    flushSync();
    await Promise.resolve();
  }
  return end;
}

afterEach(() => vi.unstubAllGlobals());

it("is asked for once by an effect, though what is found changes the list", async () => {
  const fetch = vi.fn(() => Promise.resolve(page));
  const list = new PhotoList(fetch, () => true);
  const end = await inEffect(() => {
    void list.refresh();
    return undefined;
  });
  expect(list.isLoaded).toBe(true);
  expect(fetch).toHaveBeenCalledTimes(1);
  end();
});

it("has one stream, though another list is shown and photos come", async () => {
  const streams: string[] = [];
  vi.stubGlobal(
    "EventSource",
    class extends EventTarget {
      static CLOSED = 2;
      constructor(address: string) {
        super();
        streams.push(address);
      }
      close(): void {
        // Nothing was open.
      }
    },
  );
  vi.stubGlobal("fetch", () =>
    Promise.resolve(new Response("[]", { headers: { "Content-Type": "application/json" } })),
  );
  const ends = { over: () => undefined, lost: () => undefined };
  const gallery = new EventGallery({ id: 7, event_code: "GALA26" } as JoinedEvent, ends);
  const end = await inEffect(() => gallery.open());
  gallery.tab = "all";
  gallery.own.photos = page.photos;
  flushSync();
  expect(streams).toEqual(["/api/events/7/stream"]);
  end();
});
