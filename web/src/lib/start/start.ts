/** What the first start asks and does. All throw Problem. */
import { api, ask } from "#lib/api/client.ts";
import { signIn } from "#lib/studio/account.ts";
import { isZoneUnknown, ownZone } from "#lib/studio/zones.ts";

export interface FirstAdmin {
  username: string;
  email: string;
  password: string;
  token: string;
}

export interface FirstEvent {
  id: number;
  name: string;
  code: string;
  inviteUrl: string;
}

export async function needsAdmin(): Promise<boolean> {
  return (await ask(api.GET("/api/first-start"))).needs_admin;
}

/** Make the first admin, and sign in as it. */
export async function makeAdmin({ token, ...account }: FirstAdmin): Promise<void> {
  await ask(api.POST("/api/register-admin", { body: { ...account, setup_token: token } }));
  await signIn(account.username, account.password);
}

/**
 * Make an event, in the time zone where one is if the server knows it; `date` is a day as inputs have
 * it, or empty.
 */
export async function makeEvent(name: string, date: string): Promise<FirstEvent> {
  const body = {
    name,
    strip_metadata: true,
    ...(date && { date: new Date(`${date}T12:00`).toISOString() }),
  };
  const make = (zone: string | null) =>
    ask(api.POST("/api/admin/create-event", { body: { ...body, time_zone: zone } }));
  const made = await make(ownZone()).catch((problem: unknown) => {
    // Nobody chose the zone; it can be set later.
    if (isZoneUnknown(problem)) return make(null);
    throw problem;
  });
  const { url } = await ask(
    api.GET("/api/photographer/events/{event_id}/invitation", {
      params: { path: { event_id: made.event_id } },
    }),
  );
  return { id: made.event_id, name, code: made.event_code, inviteUrl: url };
}
