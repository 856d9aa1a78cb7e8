import { hasJoined, Visit } from "#lib/event/visit.svelte.ts";
import type { LayoutLoad } from "./$types.ts";

/** What event it is, and whether one is its guest; what is wrong is a state of the visit. */
export const load: LayoutLoad = async ({ params }) => {
  // The code of the photos comes beside the answer which event they are of.
  if (hasJoined()) import("#lib/gallery/Gallery.svelte").catch(() => undefined);
  const visit = new Visit(params.code);
  await visit.load();
  return { visit };
};
