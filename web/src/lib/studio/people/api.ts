/** People in an event's photos who sent no selfie. All throw Problem. */
import { api, ask, askWhole, type Person, type PersonPhoto } from "#lib/api/client.ts";
import { nextCursor } from "#lib/gallery/api.ts";

const PAGE = 50;
const MOST_PHOTOS = 60;

export interface PeoplePage {
  people: readonly Person[];
  cursor: string | null;
}

export async function peopleOf(eventId: number, cursor: string | null): Promise<PeoplePage> {
  const { data, response } = await askWhole(
    api.GET("/api/photographer/events/{event_id}/people", {
      params: {
        path: { event_id: eventId },
        query: cursor ? { limit: PAGE, cursor } : { limit: PAGE },
      },
    }),
  );
  return { people: data.people, cursor: nextCursor(response.headers.get("Link")) };
}

export function photosOfPerson(eventId: number, personId: number): Promise<PersonPhoto[]> {
  return ask(
    api.GET("/api/photographer/events/{event_id}/people/{person_id}/photos", {
      params: { path: { event_id: eventId, person_id: personId }, query: { limit: MOST_PHOTOS } },
    }),
  );
}

/** Show a guest all photos of the person; return how many are new to them. */
export async function namePerson(
  eventId: number,
  personId: number,
  userId: number,
): Promise<number> {
  const answer = await ask(
    api.POST("/api/photographer/events/{event_id}/people/{person_id}/guest", {
      params: { path: { event_id: eventId, person_id: personId } },
      body: { user_id: userId },
    }),
  );
  return answer.added;
}
