/** The caches of a device that several guests may use, one after the other. */
import { MINE } from "./rules.ts";

export class Keeper {
  readonly #caches: CacheStorage;
  #stay = 0;

  constructor(caches: CacheStorage) {
    this.#caches = caches;
  }

  /** Who is here at this moment: remembered before something of theirs is asked for. */
  get stay(): number {
    return this.#stay;
  }

  /** Whether what was begun in that stay may be kept: a guest's own not once they have left. */
  mayKeep(name: string, stay: number): boolean {
    return name !== MINE || stay === this.#stay;
  }

  /** Empty what is kept of who was here; what is on its way to them is not kept either. */
  async forget(): Promise<void> {
    this.#stay += 1;
    try {
      await this.#caches.delete(MINE);
    } finally {
      // What was begun meanwhile may be theirs still.
      this.#stay += 1;
    }
  }

  /** Keep an answer to what was asked for in that stay; returns whether it is kept. */
  async add(name: string, address: string, response: Response, stay: number): Promise<boolean> {
    try {
      // One that was opened before it was deleted takes what it is given, and shows it nobody.
      const cache = await this.#caches.open(name);
      if (!this.mayKeep(name, stay)) return false;
      await cache.put(address, response);
      return true;
    } catch {
      return false; // There is no room on this device.
    }
  }
}
