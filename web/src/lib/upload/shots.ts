/** Of one shot a camera may write two files, a raw one and a picture: one of them is sent. */

interface Named {
  path: string;
}

/** What becomes of the raw files of a folder. */
export interface RawFiles<F> {
  /** Sent: no picture of their shot is there, and the server shows them. */
  alone: F[];
  /** A picture of their shot is sent in their place. */
  paired: F[];
  /** No picture of their shot is there, and the server does not take them. */
  strange: F[];
  /** The picture of their shot may be where the folder was not looked through. */
  unsure: F[];
}

/** `isWhole` says whether all pictures were found: until then none is known to be alone. */
export function rawFilesOf<F extends Named>(
  raws: readonly F[],
  photos: readonly Named[],
  isWhole: boolean,
): RawFiles<F> {
  const shots = new Set(photos.filter(isBesideRaw).map(shotOf));
  const files: RawFiles<F> = { alone: [], paired: [], strange: [], unsure: [] };
  for (const raw of raws) {
    if (shots.has(shotOf(raw))) files.paired.push(raw);
    else if (!isWhole) files.unsure.push(raw);
    else files[isShown(raw) ? "alone" : "strange"].push(raw);
  }
  return files;
}

/** Whether the server shows it by the JPEG in it; the watcher has the same endings. */
function isShown({ path }: Named): boolean {
  return /\.(arw|cr2|cr3|dng|nef|nrw|orf|raf|rw2|rwl)$/i.test(path);
}

/** Whether it is what a camera writes beside a raw file, and what is sent in its place. */
function isBesideRaw({ path }: Named): boolean {
  return /\.(jpe?g|jpe|heic|heif|hif)$/i.test(path);
}

/** What the files of one shot have in common; cameras write endings in either case. */
function shotOf({ path }: Named): string {
  return path.replace(/\.\w+$/, "").toLowerCase();
}
