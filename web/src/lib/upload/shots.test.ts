import { expect, it } from "vitest";
import { rawFilesOf } from "./shots.ts";

const named = (...paths: string[]) => paths.map((path) => ({ path }));

/** Which of `alone`, `paired`, `strange` and `unsure` a raw file is. */
function kindOf(raw: string, photos: string[], isWhole = true): string[] {
  const files = Object.entries(rawFilesOf(named(raw), named(...photos), isWhole));
  return files.filter(([, ones]) => ones.length).map(([kind]) => kind);
}

it.each([
  ["DCIM/IMG_1.CR3", "DCIM/IMG_1.JPG", "paired"],
  ["DCIM/IMG_1.CR3", "DCIM/img_1.jpg", "paired"],
  ["DCIM/IMG_1.X3F", "DCIM/IMG_1.heic", "paired"],
  ["DCIM/IMG_1.CR3", "other/IMG_1.JPG", "alone"],
  ["DCIM/IMG_1.CR3", "DCIM/IMG_1.png", "alone"],
  ["DCIM/IMG_1.CR3", "DCIM/IMG_2.JPG", "alone"],
  ["DCIM/IMG_1.PEF", "DCIM/IMG_2.JPG", "strange"],
])("knows what %s beside %s is: %s", (raw, photo, kind) => {
  expect(kindOf(raw, [photo])).toEqual([kind]);
});

it.each(["arw", "CR2", "cr3", "dng", "nef", "nrw", "orf", "raf", "rw2", "rwl"])(
  "sends .%s that is alone: the server shows it",
  (ending) => expect(kindOf(`a.${ending}`, [])).toEqual(["alone"]),
);

it.each(["3fr", "crw", "iiq", "pef", "raw", "srw", "X3F"])(
  "leaves .%s out: the server does not take it",
  (ending) => expect(kindOf(`a.${ending}`, [])).toEqual(["strange"]),
);

it("knows of none that it is alone before all is looked through", () => {
  expect(kindOf("a.cr3", [], false)).toEqual(["unsure"]);
  expect(kindOf("a.x3f", [], false)).toEqual(["unsure"]);
  expect(kindOf("a.cr3", ["a.jpg"], false)).toEqual(["paired"]);
});
