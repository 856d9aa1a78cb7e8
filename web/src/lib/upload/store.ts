/** Keeps the queue in the browser, so that it goes on after the page was closed. */
import type { Item, Status } from "./queue.ts";

const NAME = "findme.uploads";
const VERSION = 1;

/** A file as it is kept: what is known of it, and by which folder it is found. */
export interface KeptItem {
  id: number;
  accountId: number;
  eventId: number;
  path: string;
  size: number;
  modified: number;
  status: Status;
  sha256: string | undefined;
  tusUrl: string | undefined;
  rootId: number | undefined;
}

interface KeptRoot {
  id: number;
  accountId: number;
  handle: FileSystemDirectoryHandle;
}

/** Whatever keeps uploads as the store does. */
export type Keeper = Pick<UploadStore, keyof UploadStore>;

export class UploadStore {
  #database: Promise<IDBDatabase> | undefined;

  /** Return what is kept of the account's. Throws where the browser keeps nothing. */
  async load(
    accountId: number,
  ): Promise<{ items: KeptItem[]; roots: Map<number, FileSystemDirectoryHandle> }> {
    const database = await this.#open();
    const [items, roots] = await Promise.all([
      all<KeptItem>(database, "items"),
      all<KeptRoot>(database, "roots"),
    ]);
    return {
      items: items.filter((item) => item.accountId === accountId),
      roots: new Map(
        roots.filter((root) => root.accountId === accountId).map(({ id, handle }) => [id, handle]),
      ),
    };
  }

  async keep(items: readonly KeptItem[]): Promise<void> {
    const database = await this.#open();
    const transaction = database.transaction("items", "readwrite");
    for (const item of items) transaction.objectStore("items").put(item);
    await done(transaction);
  }

  async keepRoot(id: number, accountId: number, handle: FileSystemDirectoryHandle): Promise<void> {
    const database = await this.#open();
    const transaction = database.transaction("roots", "readwrite");
    transaction.objectStore("roots").put({ id, accountId, handle } satisfies KeptRoot);
    await done(transaction);
  }

  /** Forget what is kept of the account's, and nothing of another's. */
  async clear(accountId: number): Promise<void> {
    const database = await this.#open();
    const transaction = database.transaction(["items", "roots"], "readwrite");
    for (const name of ["items", "roots"]) deleteOf(accountId, transaction.objectStore(name));
    await done(transaction);
  }

  #open(): Promise<IDBDatabase> {
    this.#database ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("items", { keyPath: "id" });
        request.result.createObjectStore("roots", { keyPath: "id" });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return this.#database;
  }
}

export function keptOf(item: Item, accountId: number, rootId: number | undefined): KeptItem {
  const { id, eventId, path, size, modified, status, sha256, tusUrl } = item;
  return { id, accountId, eventId, path, size, modified, status, sha256, tusUrl, rootId };
}

function all<T>(database: IDBDatabase, name: string): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const request = database.transaction(name).objectStore(name).getAll() as IDBRequest<T[]>;
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Delete what is the account's, within the store's transaction. */
function deleteOf(accountId: number, store: IDBObjectStore): void {
  const request = store.getAll() as IDBRequest<{ id: number; accountId: number }[]>;
  request.onsuccess = () => {
    for (const kept of request.result) if (kept.accountId === accountId) store.delete(kept.id);
  };
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
