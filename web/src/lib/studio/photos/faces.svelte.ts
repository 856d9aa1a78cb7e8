/** Who is in the photo that is looked at, and what is done about that. */
import { Problem, type EventGuest, type PhotoGuest } from "#lib/api/client.ts";
import { say } from "#lib/api/say.ts";
import { parts } from "#lib/i18n/studio/parts.ts";
import { toasts, UNDO_MILLISECONDS } from "#lib/ui/toasts.svelte.ts";
import { addGuest, guestOf, sayNotThem, whoIsIn, type WhoIsInPhoto } from "./api.ts";

export class Faces {
  /** Undefined until it is known. */
  who = $state.raw<WhoIsInPhoto>();
  /** What went wrong when it was asked for. */
  said = $state("");
  /** The ring that was clicked, by its number. */
  chosen = $state<number>();
  /** Of each face; empty where it is nobody's. */
  readonly names: readonly string[] = $derived(
    (this.who?.faces ?? []).map((face) => guestOf(face, this.who?.guests ?? [])?.username ?? ""),
  );
  readonly #eventId: number;
  #photoId: number | undefined;

  constructor(eventId: number) {
    this.#eventId = eventId;
  }

  /** Look at this photo from now on. */
  see(photoId: number | undefined): void {
    this.#photoId = photoId;
    this.who = undefined;
    this.chosen = undefined;
    this.said = "";
    if (photoId !== undefined) void this.#look(photoId);
  }

  async #look(photoId: number): Promise<void> {
    try {
      const found = await whoIsIn(this.#eventId, photoId);
      if (photoId === this.#photoId) this.who = found;
    } catch (problem) {
      if (photoId === this.#photoId) this.said = say(problem);
    }
  }

  async notThem(guest: PhotoGuest): Promise<void> {
    const photoId = this.#photoId;
    if (photoId === undefined) return;
    const w = parts.words.photo;
    try {
      await sayNotThem(this.#eventId, photoId, guest.user_id);
      toasts.say(
        w.notThemDone(guest.username),
        { label: w.undo, run: () => void this.#takeBack(guest, photoId) },
        UNDO_MILLISECONDS,
      );
      this.chosen = undefined;
      await this.#look(photoId);
    } catch (problem) {
      toasts.say(isConflict(problem) ? w.saidSo : say(problem));
    }
  }

  async #takeBack(guest: PhotoGuest, photoId: number): Promise<void> {
    try {
      if (guest.added_by_hand) await addGuest(this.#eventId, photoId, guest.user_id);
      else await sayNotThem(this.#eventId, photoId, guest.user_id, true);
      await this.#look(photoId);
    } catch (problem) {
      toasts.say(say(problem));
    }
  }

  async add(guest: EventGuest): Promise<void> {
    const photoId = this.#photoId;
    if (photoId === undefined) return;
    const w = parts.words.photo;
    try {
      await addGuest(this.#eventId, photoId, guest.user_id);
      toasts.say(w.added(guest.username));
      this.chosen = undefined;
      await this.#look(photoId);
    } catch (problem) {
      toasts.say(isConflict(problem) ? w.denied : say(problem));
    }
  }
}

function isConflict(problem: unknown): boolean {
  return problem instanceof Problem && problem.status === 409;
}
