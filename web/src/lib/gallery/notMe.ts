/** "Not me": photos leave a guest's own at once, and come back where the guest wants them to. */
import { say } from "#lib/api/say.ts";
import { t } from "#lib/i18n/words.svelte.ts";
import { toasts, UNDO_MILLISECONDS } from "#lib/ui/toasts.svelte.ts";
import { sayNotMe, takeBackNotMe } from "./api.ts";
import type { PhotoList } from "./list.svelte.ts";
import type { Photo } from "./photo.ts";

export async function notMe(own: PhotoList, gone: readonly Photo[]): Promise<void> {
  const places = gone.map((photo) => ({
    photo,
    index: own.photos.findIndex((one) => one.id === photo.id),
  }));
  const restore = (): void => {
    for (const { photo, index } of places) own.restore(photo, Math.max(0, index));
  };
  const takeBack = async (): Promise<void> => {
    restore();
    try {
      await Promise.all(gone.map(({ id }) => takeBackNotMe(id)));
    } catch (problem) {
      toasts.say(say(problem));
    }
  };
  own.remove(gone.map((photo) => photo.id));
  try {
    await Promise.all(gone.map(({ id }) => sayNotMe(id)));
    toasts.say(
      t().gallery.notMeDone,
      { label: t().gallery.undo, run: () => void takeBack() },
      UNDO_MILLISECONDS,
    );
  } catch (problem) {
    restore();
    toasts.say(say(problem));
  }
}
