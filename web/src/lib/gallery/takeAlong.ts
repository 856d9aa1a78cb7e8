/** Photos that leave the page: one as a file, several as an archive, to a friend by the phone. */
import { api, ask } from "#lib/api/client.ts";
import { say } from "#lib/api/say.ts";
import { t } from "#lib/i18n/words.svelte.ts";
import { copyText } from "#lib/ui/clipboard.ts";
import { toasts } from "#lib/ui/toasts.svelte.ts";
import { nameFor, type Photo } from "./photo.ts";

/** More are sent as a link: phones hold them all in memory. */
const MOST_SHARED_FILES = 10;
/** More than an archive takes of photos that are named. */
const MOST_NAMED = 5000;
const POLL_MILLISECONDS = 1000;
const MOST_POLLS = 600;

export type Wanted = "mine" | readonly Photo[];

/** Download photos, one as it is, several as a ZIP. What fails is said. */
export async function download(eventId: number, wanted: Wanted): Promise<void> {
  if (wanted !== "mine" && wanted.length === 1 && wanted[0]) {
    follow(wanted[0].url);
    return;
  }
  const toast = toasts.say("…", undefined, 0);
  try {
    const archive = await linkTo(eventId, wanted);
    for (let polls = 0; polls < MOST_POLLS; polls += 1) {
      const state = await stateOf(archive.state_url);
      if (state.is_ready) break;
      toasts.change(toast, t().gallery.preparing(state.prepared, state.photos));
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
    follow(archive.url);
    toasts.say(t().gallery.downloading);
  } catch (problem) {
    toasts.say(say(problem));
  } finally {
    toasts.end(toast);
  }
}

/** Share photos as files where the phone can, else a link that works for a day. */
export async function share(
  eventId: number,
  photos: readonly Photo[],
  title: string,
): Promise<void> {
  try {
    const files = photos.length <= MOST_SHARED_FILES ? await filesOf(photos) : [];
    if (files.length && navigator.canShare?.({ files })) {
      await navigator.share({ files, title });
      return;
    }
    const { url } = await linkTo(eventId, photos);
    const link = new URL(url, location.href).href;
    if (typeof navigator.share === "function") await navigator.share({ url: link, title });
    else {
      await copyText(link);
      toasts.say(t().gallery.linkCopied);
    }
  } catch (problem) {
    const isTheirs = problem instanceof DOMException && problem.name === "AbortError";
    if (!isTheirs) toasts.say(say(problem));
  }
}

function linkTo(eventId: number, wanted: Wanted) {
  const body =
    wanted === "mine"
      ? { photos: "mine" as const, folders: "none" as const }
      : { photo_ids: wanted.slice(0, MOST_NAMED).map(({ id }) => id), folders: "none" as const };
  return ask(
    api.POST("/api/events/{event_id}/downloads", { params: { path: { event_id: eventId } }, body }),
  );
}

async function stateOf(
  url: string,
): Promise<{ is_ready: boolean; prepared: number; photos: number }> {
  const path = new URL(url, location.href);
  const [download_id = ""] = path.pathname.split("/").slice(3);
  const query = { e: Number(path.searchParams.get("e")), s: path.searchParams.get("s") ?? "" };
  return ask(api.GET("/api/downloads/{download_id}", { params: { path: { download_id }, query } }));
}

async function filesOf(photos: readonly Photo[]): Promise<File[]> {
  if (typeof navigator.canShare !== "function") return [];
  return Promise.all(
    photos.map(async ({ url, filename }) => {
      const blob = await (await fetch(url)).blob();
      return new File([blob], nameFor(filename, blob.type), { type: blob.type });
    }),
  );
}

/** The server says what the file is called, and as what it is sent. */
function follow(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}
