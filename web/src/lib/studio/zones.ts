/** The time zones that an event may have, as the browser knows them. */
import { Problem } from "#lib/api/client.ts";

/** How the server begins to say that it does not know one. */
export const ZONE_UNKNOWN = "There is no time zone ";

/** Where who looks is. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** All names, with those that the browser lacks or calls otherwise. */
export function zonesWith(...others: string[]): string[] {
  const known = new Set(["UTC", ...Intl.supportedValuesOf("timeZone"), ...others]);
  known.delete("");
  return [...known].sort();
}

export function isZoneUnknown(problem: unknown): boolean {
  return problem instanceof Problem && problem.detail.startsWith(ZONE_UNKNOWN);
}

/** As people read it. */
export function placeOf(zone: string): string {
  return zone.replaceAll("_", " ");
}
