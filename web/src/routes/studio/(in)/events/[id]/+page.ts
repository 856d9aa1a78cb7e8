import { redirect } from "@sveltejs/kit";

/** An event opens at its photos. */
export function load({ params }: { params: { id: string } }): never {
  redirect(307, `/studio/events/${params.id}/photos`);
}
