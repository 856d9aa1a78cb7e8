/** Of the files that folders hold: which are sent, and how many of which kind are not. */
import type { Source } from "./intake.ts";
import { kindOf } from "./rules.ts";
import { rawFilesOf } from "./shots.ts";

/** Files that are in a folder and are not sent. */
export interface LeftOut {
  /** Raw files of which a JPEG is sent. */
  raw: number;
  /** Raw files that the server does not take. */
  strangeRaw: number;
  /** Raw files of which a JPEG may be there: the folder went away. */
  unsureRaw: number;
  video: number;
  aside: number;
}

export const NOTHING: LeftOut = { raw: 0, strangeRaw: 0, unsureRaw: 0, video: 0, aside: 0 };

/** A file, and the folder by which it is found again. */
export interface Taken {
  path: string;
  source: Source;
  rootId: number | undefined;
}

export function sumOf(one: LeftOut, other: LeftOut): LeftOut {
  return {
    raw: one.raw + other.raw,
    strangeRaw: one.strangeRaw + other.strangeRaw,
    unsureRaw: one.unsureRaw + other.unsureRaw,
    video: one.video + other.video,
    aside: one.aside + other.aside,
  };
}

/** Sorts what one look through folders finds, as it is found. */
export class Sorting {
  readonly #photos: Taken[] = [];
  readonly #raws: Taken[] = [];

  /** Return what is sent of these, and what of them is not. */
  take(sources: readonly Source[], rootId: number | undefined): [Taken[], LeftOut] {
    const found: Taken[] = [];
    const leftOut = { ...NOTHING };
    for (const source of sources) {
      const { path } = source;
      const kind = kindOf(path);
      // A raw file goes where no picture of the same shot does, which may be found later.
      if (kind === "raw") this.#raws.push({ path, source, rootId });
      else if (kind === "photo") found.push({ path, source, rootId });
      else leftOut[kind] += 1;
    }
    this.#photos.push(...found);
    return [found, leftOut];
  }

  /** Return what is sent of the raw files, and what is not; `isWhole` where all was found. */
  end(isWhole: boolean): [Taken[], LeftOut] {
    const { alone, paired, strange, unsure } = rawFilesOf(this.#raws, this.#photos, isWhole);
    const [raw, strangeRaw, unsureRaw] = [paired.length, strange.length, unsure.length];
    return [alone, { ...NOTHING, raw, strangeRaw, unsureRaw }];
  }
}
