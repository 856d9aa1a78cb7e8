/** Which photo a wall shows next: what is new at once, else the newest first, then a mix. */

/** Photos that are remembered as shown; of a longer event the first ones are new again. */
const MOST_REMEMBERED = 5000;

export class Order {
  /** Ids, the one that was shown longest ago first. */
  readonly #shown = new Set<number>();
  readonly #chance: () => number;

  constructor(chance: () => number = Math.random) {
    this.#chance = chance;
  }

  /** Return the id of the next photo of these, whose order is that of the server; none of none. */
  next(ids: readonly number[]): number | undefined {
    const fresh = ids.find((id) => !this.#shown.has(id));
    const next = fresh ?? this.#anotherOf(ids);
    if (next !== undefined) this.#remember(next);
    return next;
  }

  /** One of the half that was not seen for longest: nothing comes again at once. */
  #anotherOf(ids: readonly number[]): number | undefined {
    const there = new Set(ids);
    const rested = [...this.#shown].filter((id) => there.has(id));
    const half = rested.slice(0, Math.ceil(rested.length / 2));
    return half[Math.floor(this.#chance() * half.length)];
  }

  #remember(id: number): void {
    this.#shown.delete(id);
    this.#shown.add(id);
    if (this.#shown.size > MOST_REMEMBERED) {
      const [oldest] = this.#shown;
      if (oldest !== undefined) this.#shown.delete(oldest);
    }
  }
}
