// @vitest-environment happy-dom
import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Photo } from "#lib/gallery/photo.ts";
import { loadWords } from "#lib/i18n/words.svelte.ts";
import PhotoGrid from "./PhotoGrid.svelte";

const photo = (id: number): Photo => ({
  id,
  ratio: 1.5,
  width: 1500,
  height: 1000,
  url: `/${id}.jpg`,
  thumbnail: `/${id}/thumbnail.webp`,
  preview: `/${id}/preview.webp`,
  placeholder: null,
  takenAt: null,
  takenOffset: null,
  arrivedAt: "2026-11-28T20:00:00Z",
  filename: `${id}.jpg`,
});

let photos = $state.raw<readonly Photo[]>([]);
let grid: ReturnType<typeof mount>;

/** The photo that the tabulator leads to. */
function stop(): number {
  const [only, ...others] = document.querySelectorAll<HTMLElement>('[data-photo][tabindex="0"]');
  expect(others).toEqual([]);
  return Number(only?.dataset["photo"]);
}

beforeEach(async () => {
  // Nothing is laid out here: as on a phone.
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(360);
  await loadWords("en");
  photos = [photo(3), photo(2), photo(1)];
  grid = mount(PhotoGrid, {
    target: document.body,
    props: {
      get photos() {
        return photos;
      },
      arrived: new Set<number>(),
      selection: null,
      onopen: () => undefined,
      onselect: () => undefined,
    },
  });
  flushSync();
});

afterEach(async () => {
  await unmount(grid);
  vi.restoreAllMocks();
});

it("keeps the tabulator at the photo that was opened, as others come before it", () => {
  expect(stop()).toBe(3);
  document.querySelector<HTMLElement>('[data-photo="2"]')?.click();
  flushSync();
  expect(stop()).toBe(2);
  photos = [photo(5), photo(4), ...photos];
  flushSync();
  expect(stop()).toBe(2);
});

it("goes to the next one where that photo is gone", () => {
  document.querySelector<HTMLElement>('[data-photo="2"]')?.click();
  photos = [photo(3), photo(1)];
  flushSync();
  expect(stop()).toBe(1);
});
