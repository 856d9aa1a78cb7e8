/** How fast bytes go, by those of the last seconds. */

const WINDOW_MILLISECONDS = 8000;

export class Speed {
  #samples: { at: number; bytes: number }[] = [];

  add(bytes: number, now: number): void {
    const last = this.#samples.at(-1);
    // A sample for each tenth of a second is enough.
    if (last && now - last.at < 100) last.bytes += bytes;
    else this.#samples.push({ at: now, bytes });
  }

  /** Bytes a second; 0 while nothing is known. */
  at(now: number): number {
    this.#samples = this.#samples.filter((sample) => now - sample.at < WINDOW_MILLISECONDS);
    const first = this.#samples[0];
    if (!first) return 0;
    const bytes = this.#samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return (bytes * 1000) / Math.max(1000, now - first.at);
  }

  forget(): void {
    this.#samples = [];
  }
}
