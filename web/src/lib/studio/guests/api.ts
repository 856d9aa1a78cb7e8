/** Who has joined an event, and mails to them. All throw Problem. */
import { api, ask } from "#lib/api/client.ts";

export async function removeGuest(eventId: number, userId: number): Promise<void> {
  await ask(
    api.DELETE("/api/photographer/events/{event_id}/guests/{user_id}", {
      params: { path: { event_id: eventId, user_id: userId } },
    }),
  );
}

/** Write to the guests with photos that they were not told of; or only say how many that are. */
export async function tellGuests(eventId: number, isTried: boolean): Promise<number> {
  const answer = await ask(
    api.POST("/api/photographer/events/{event_id}/notify-photos-available", {
      params: { path: { event_id: eventId }, query: { dry_run: isTried } },
    }),
  );
  return answer.recipients_count;
}
