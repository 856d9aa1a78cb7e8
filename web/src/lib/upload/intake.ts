/** Finds the files of what is dropped or chosen, folders and all, a few hundred at a time. */

export interface Source {
  /** From the folder that was chosen on, as "DCIM/100CANON/IMG_1.JPG". */
  path: string;
  size: number;
  modified: number;
  open: () => Promise<File>;
}

/** Files, and the folder by which they are found again after the page was closed, where kept. */
export interface Found {
  sources: Source[];
  root?: FileSystemDirectoryHandle;
}

/** The page is to be drawn between them. */
const AT_ONCE = 250;

/** What Chromium has beyond the standard that all browsers share. */
interface HandleItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}
interface IterableDirectory {
  values(): AsyncIterable<FileSystemHandle>;
}
interface FolderPicker {
  showDirectoryPicker?(): Promise<FileSystemDirectoryHandle>;
}

/** Return what was dropped. Called while the drop is handled: later there is nothing in it. */
export function dropped(transfer: DataTransfer): AsyncGenerator<Found> {
  const files: File[] = [];
  const folders: Folder[] = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry();
    if (entry?.isDirectory) {
      const handle = (item as HandleItem).getAsFileSystemHandle?.().catch(() => null);
      folders.push({ entry: entry as FileSystemDirectoryEntry, handle });
    } else {
      const file = item.getAsFile();
      if (file) files.push(file);
    }
  }
  return gathered(files, folders);
}

/** Return the files of an `<input type="file">`. */
export async function* chosen(files: Iterable<File>): AsyncGenerator<Found> {
  yield* inPortions(each(files));
}

/** Whether a folder that is picked is found again by itself. */
export function canPickFolders(): boolean {
  return "showDirectoryPicker" in window;
}

/** Ask for a folder; nothing where that is given up. */
export async function* picked(): AsyncGenerator<Found> {
  let root: FileSystemDirectoryHandle | undefined;
  try {
    root = await (window as FolderPicker).showDirectoryPicker?.();
  } catch {
    return;
  }
  if (root) yield* inPortions(filesOf(root, root.name), root);
}

/** Return a file of a folder, as its path from the folder on has it. Throws where it is gone. */
export async function fileIn(root: FileSystemDirectoryHandle, path: string): Promise<File> {
  const [, ...parts] = path.split("/");
  let folder = root;
  for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part);
  return (await folder.getFileHandle(parts.at(-1) ?? "")).getFile();
}

interface AskingHandle {
  queryPermission?(asked: { mode: "read" }): Promise<PermissionState>;
  requestPermission?(asked: { mode: "read" }): Promise<PermissionState>;
}

/** Whether a folder of last time may be read, or is allowed to be; undefined where nobody knows. */
export async function permission(
  handle: FileSystemDirectoryHandle & AskingHandle,
  how: "query" | "request",
): Promise<PermissionState | undefined> {
  try {
    return await (how === "query"
      ? handle.queryPermission?.({ mode: "read" })
      : handle.requestPermission?.({ mode: "read" }));
  } catch {
    return undefined;
  }
}

interface Folder {
  entry: FileSystemDirectoryEntry;
  handle: Promise<FileSystemHandle | null> | undefined;
}

async function* gathered(files: File[], folders: readonly Folder[]): AsyncGenerator<Found> {
  yield* inPortions(each(files));
  for (const { entry, handle } of folders) {
    const root = (await handle) as FileSystemDirectoryHandle | null | undefined;
    if (root) yield* inPortions(filesOf(root, root.name), root);
    else yield* inPortions(entriesOf(entry));
  }
}

async function* filesOf(folder: FileSystemDirectoryHandle, path: string): AsyncGenerator<Source> {
  for await (const handle of (folder as unknown as IterableDirectory).values()) {
    const below = `${path}/${handle.name}`;
    if (handle.kind === "directory") yield* filesOf(handle as FileSystemDirectoryHandle, below);
    else yield sourceOf(await (handle as FileSystemFileHandle).getFile(), below);
  }
}

async function* entriesOf(folder: FileSystemDirectoryEntry): AsyncGenerator<Source> {
  const reader = folder.createReader();
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!entries.length) return;
    for (const entry of entries) {
      if (entry.isDirectory) yield* entriesOf(entry as FileSystemDirectoryEntry);
      else {
        const file = await new Promise<File>((resolve, reject) =>
          (entry as FileSystemFileEntry).file(resolve, reject),
        );
        yield sourceOf(file, entry.fullPath.slice(1));
      }
    }
  }
}

async function* inPortions(
  sources: AsyncIterable<Source>,
  root?: FileSystemDirectoryHandle,
): AsyncGenerator<Found> {
  const from = root ? { root } : {};
  let portion: Source[] = [];
  let wentAway: { why: unknown } | undefined;
  try {
    for await (const source of sources) {
      portion.push(source);
      if (portion.length < AT_ONCE) continue;
      yield { sources: portion, ...from };
      portion = [];
      await new Promise((resolve) => setTimeout(resolve));
    }
  } catch (why) {
    wentAway = { why };
  }
  // What was found of it before is there.
  if (portion.length) yield { sources: portion, ...from };
  if (wentAway) throw wentAway.why;
}

async function* each(files: Iterable<File>): AsyncGenerator<Source> {
  for (const file of files) yield sourceOf(file, file.webkitRelativePath);
}

function sourceOf(file: File, path = file.name): Source {
  return {
    path: path || file.name,
    size: file.size,
    modified: file.lastModified,
    open: () => Promise.resolve(file),
  };
}
