/** What the API has for sharing an event. */
import { api, ask, type WallView } from "#lib/api/client.ts";

export async function inviteUrl(eventId: number): Promise<string> {
  const { url } = await ask(
    api.GET("/api/photographer/events/{event_id}/invitation", {
      params: { path: { event_id: eventId } },
    }),
  );
  return url;
}

/** The event's own colour, as its guests see it; undefined where it has none. */
export async function accentOfEvent(code: string): Promise<string | undefined> {
  try {
    const { accent } = await ask(api.POST("/api/look-up-event", { body: { event_code: code } }));
    return accent ?? undefined;
  } catch {
    return undefined; // An event that is over is printed in ours.
  }
}

export function wallsOf(eventId: number): Promise<WallView[]> {
  return ask(
    api.GET("/api/photographer/events/{event_id}/walls", {
      params: { path: { event_id: eventId } },
    }),
  );
}

export function makeWall(eventId: number): Promise<WallView> {
  return ask(
    api.POST("/api/photographer/events/{event_id}/walls", {
      params: { path: { event_id: eventId } },
    }),
  );
}

export async function takeDown(eventId: number, wallId: string): Promise<void> {
  await ask(
    api.DELETE("/api/photographer/events/{event_id}/walls/{wall_id}", {
      params: { path: { event_id: eventId, wall_id: wallId } },
    }),
  );
}

/** Give a file to whoever looks. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Some browsers read it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
