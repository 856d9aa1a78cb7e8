/** What is said at the bottom of the page for a while, with at most one thing to do about it. */
export interface Toast {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

const USUAL_MILLISECONDS = 5000;
/** Time in which what was said can be taken back. */
export const UNDO_MILLISECONDS = 8000;

class Toasts {
  shown = $state.raw<readonly Toast[]>([]);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** Say something; returns its id, by which it is changed or ended. Zero milliseconds: it stays. */
  say(text: string, action?: Toast["action"], milliseconds = USUAL_MILLISECONDS): number {
    const id = this.#next++;
    const toast = action ? { id, text, action } : { id, text };
    this.shown = [...this.shown.slice(-2), toast];
    if (milliseconds)
      this.#timers.set(
        id,
        setTimeout(() => this.end(id), milliseconds),
      );
    return id;
  }

  change(id: number, text: string): void {
    this.shown = this.shown.map((toast) => (toast.id === id ? { ...toast, text } : toast));
  }

  end(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
