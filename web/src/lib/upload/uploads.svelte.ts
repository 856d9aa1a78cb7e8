/** The page's uploads: the queue with the browser's ports, as the tray shows it. */
import { hash } from "./hashing.ts";
import {
  canPickFolders,
  chosen,
  dropped,
  fileIn,
  permission,
  picked,
  type Found,
} from "./intake.ts";
import { NOTHING, Sorting, sumOf, type LeftOut, type Taken } from "./leftOut.ts";
import { UploadQueue, type Item, type Ports } from "./queue.ts";
import { existing, mostParallel, probe, send } from "./send.ts";
import { shownOf, type Shown } from "./shown.ts";
import { keptOf, UploadStore, type Keeper } from "./store.ts";

/** A tray that is drawn more often says no more. */
const DRAW_MILLISECONDS = 200;
const KEEP_MILLISECONDS = 1000;

export class Uploads {
  shown = $state.raw<Shown>();
  leftOut = $state.raw<LeftOut>(NOTHING);
  /** Whether folders are being looked through. */
  isFinding = $state(false);
  /** Whether the browser asks before it reads the folders of last time again. */
  isAllowanceWanted = $state(false);
  /** Counts up when the items have changed. */
  version = $state(0);
  #accountId: number | undefined;
  /** Ids of what is kept are never another's: neither of another visit, nor of another account. */
  #nextId = Date.now() * 1000;
  #finding = 0;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #isKeepingPlanned = false;
  #isStoring = true;
  readonly #dirty = new Set<Item>();
  readonly #roots = new Map<number, FileSystemDirectoryHandle>();
  readonly #rootOf = new Map<Item, number>();
  readonly #store: Keeper;
  readonly #queue: UploadQueue;
  /** Ends when all is forgotten: folders are looked through no further, nor taken up again. */
  #life = new AbortController();

  constructor(
    ports: Omit<Ports, "now" | "changed"> = { hash, existing, send, probe, mostParallel },
    store: Keeper = new UploadStore(),
  ) {
    this.#store = store;
    this.#queue = new UploadQueue({
      ...ports,
      now: () => Date.now(),
      changed: (item) => this.#changed(item),
    });
  }

  get items(): readonly Item[] {
    return this.#queue.items;
  }

  get canPickFolders(): boolean {
    return canPickFolders();
  }

  /** Take up what was left when the page was closed; called when somebody is signed in. */
  async begin(accountId: number): Promise<void> {
    if (this.#accountId === accountId) {
      if (this.#queue.halt === "signedOut") this.#queue.resume();
      return;
    }
    // What the one before has left is theirs, for when they are back.
    this.#keep();
    this.#forget();
    this.#accountId = accountId;
    addEventListener("beforeunload", this.#asks);
    addEventListener("online", this.#comesBack);
    try {
      await this.#restore(accountId);
    } catch {
      // A browser that keeps nothing.
      this.#isStoring = false;
    }
  }

  /** Take in what was dropped on an event; called while the drop is handled. */
  drop(eventId: number, transfer: DataTransfer): void {
    void this.#take(eventId, dropped(transfer));
  }

  choose(eventId: number, files: Iterable<File>): void {
    void this.#take(eventId, chosen(files));
  }

  pickFolder(eventId: number): void {
    void this.#take(eventId, picked());
  }

  /** Ask to read the folders of last time again; called by a click. */
  async allow(): Promise<void> {
    const { signal: over } = this.#life;
    for (const [id, root] of this.#roots) {
      const isGranted = (await permission(root, "request")) === "granted";
      if (over.aborted) return;
      if (isGranted) this.#reopen(id, root);
    }
    this.isAllowanceWanted = false;
  }

  pause(): void {
    this.#queue.pause();
  }

  resume(): void {
    this.#queue.resume();
  }

  retry(item: Item): void {
    this.#queue.retry(item);
  }

  retryAll(): void {
    for (const item of this.#queue.items) this.#queue.retry(item);
  }

  /** Forget everything of the account's, sent or not. */
  clear(): void {
    this.#forget();
    if (this.#isStoring && this.#accountId !== undefined)
      this.#store.clear(this.#accountId).catch(() => undefined);
  }

  /** Have nothing at hand any more; what is kept stays. */
  #forget(): void {
    this.#life.abort();
    this.#life = new AbortController();
    this.#queue.clear();
    this.#dirty.clear();
    this.#roots.clear();
    this.#rootOf.clear();
    this.leftOut = NOTHING;
    this.isAllowanceWanted = false;
    this.#draw();
  }

  readonly #asks = (event: BeforeUnloadEvent): void => {
    if (!this.#queue.isIdle) event.preventDefault();
  };

  readonly #comesBack = (): void => {
    if (this.#queue.halt === "network") this.#queue.resume();
  };

  async #take(eventId: number, portions: AsyncGenerator<Found>): Promise<void> {
    this.#finding += 1;
    this.isFinding = true;
    const { signal: over } = this.#life;
    const accountId = this.#accountId;
    const rootIds = new Map<FileSystemDirectoryHandle, number>();
    const sorting = new Sorting();
    const add = ([found, leftOut]: [Taken[], LeftOut]): void => {
      this.leftOut = sumOf(this.leftOut, leftOut);
      this.#add(eventId, found);
    };
    let isWhole = false;
    try {
      for await (const { sources, root } of portions) {
        if (over.aborted) return;
        let rootId = root && rootIds.get(root);
        if (root && rootId === undefined) {
          rootId = this.#nextId++;
          rootIds.set(root, rootId);
          this.#roots.set(rootId, root);
          if (this.#isStoring && accountId !== undefined)
            await this.#store.keepRoot(rootId, accountId, root).catch(() => undefined);
          if (over.aborted) return;
        }
        add(sorting.take(sources, rootId));
      }
      isWhole = true;
    } catch {
      // A folder that went away while it was looked through: what was found is sent.
    } finally {
      if (!over.aborted) add(sorting.end(isWhole));
      this.#finding -= 1;
      this.isFinding = this.#finding > 0;
      this.#draw();
    }
  }

  #add(eventId: number, taken: readonly Taken[]): void {
    const items = taken.map(({ source, rootId }) => {
      const item: Item = {
        ...source,
        id: this.#nextId++,
        eventId,
        status: "waiting",
        sent: 0,
        tries: 0,
      };
      if (rootId !== undefined) this.#rootOf.set(item, rootId);
      return item;
    });
    this.#queue.add(items);
  }

  async #restore(accountId: number): Promise<void> {
    const { signal: over } = this.#life;
    const { items, roots } = await this.#store.load(accountId);
    if (over.aborted) return;
    if (!items.some(({ status }) => status !== "done" && status !== "duplicate")) {
      if (items.length) await this.#store.clear(accountId);
      return;
    }
    this.#queue.add(
      items.map((kept) => {
        const isThere = kept.status === "done" || kept.status === "duplicate";
        const item: Item = {
          id: kept.id,
          eventId: kept.eventId,
          path: kept.path,
          size: kept.size,
          modified: kept.modified,
          open: undefined,
          status: isThere ? kept.status : "missing",
          sent: 0,
          tries: 0,
          ...(kept.sha256 ? { sha256: kept.sha256 } : {}),
          ...(kept.tusUrl ? { tusUrl: kept.tusUrl } : {}),
        };
        if (kept.rootId !== undefined) this.#rootOf.set(item, kept.rootId);
        return item;
      }),
    );
    for (const [id, root] of roots) {
      this.#roots.set(id, root);
      const isGranted = (await permission(root, "query")) === "granted";
      if (over.aborted) return;
      if (isGranted) this.#reopen(id, root);
      else if (this.#missingIn(id).length) this.isAllowanceWanted = true;
    }
  }

  /** Have the files of a folder at hand again. */
  #reopen(rootId: number, root: FileSystemDirectoryHandle): void {
    this.#queue.add(
      this.#missingIn(rootId).map((item) => ({ ...item, open: () => fileIn(root, item.path) })),
    );
  }

  #missingIn(rootId: number): Item[] {
    return this.#queue.items.filter(
      (item) => item.status === "missing" && this.#rootOf.get(item) === rootId,
    );
  }

  #changed(item?: Item): void {
    if (item) {
      this.#dirty.add(item);
      if (this.#isStoring && !this.#isKeepingPlanned) {
        this.#isKeepingPlanned = true;
        setTimeout(() => this.#keep(), KEEP_MILLISECONDS);
      }
    }
    this.#drawing ??= setTimeout(() => this.#draw(), DRAW_MILLISECONDS);
  }

  #keep(): void {
    this.#isKeepingPlanned = false;
    const accountId = this.#accountId;
    if (accountId === undefined) return;
    const kept = [...this.#dirty].map((item) => keptOf(item, accountId, this.#rootOf.get(item)));
    this.#dirty.clear();
    this.#store.keep(kept).catch(() => {
      this.#isStoring = false;
    });
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    this.shown = shownOf(this.#queue, Date.now());
    this.version += 1;
  }
}

export const uploads = new Uploads();
