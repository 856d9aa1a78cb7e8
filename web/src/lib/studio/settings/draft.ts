/** The settings' form: what it is filled with, what is wrong with it, and what of it has changed. */
import type { EventSettings, EventSettingsChange } from "#lib/api/client.ts";
import { isCode, tidyCode } from "#lib/studio/code.ts";
import { dayOf, endOfDay, startOfDay } from "#lib/studio/days.ts";

/** An event's settings as fields have them; days as "2026-11-28". */
export interface Draft {
  name: string;
  date: string;
  code: string;
  /** Empty for none. */
  zone: string;
  end: string;
  accent: string;
  consent: string;
  selectedOnly: boolean;
  strip: boolean;
  duplicates: "" | "event" | "window";
}

/** A field that may be filled in wrongly, by its id in the form. */
export type Checked = "name" | "end" | "code";

export function draftOf(one: EventSettings): Draft {
  return {
    name: one.name,
    date: one.date ? dayOf(new Date(one.date)) : "",
    code: one.event_code,
    zone: one.time_zone ?? "",
    end: dayOf(new Date(one.expires_at)),
    accent: one.accent?.toLowerCase() ?? "",
    consent: one.consent_text ?? "",
    selectedOnly: one.selected_only,
    strip: one.strip_metadata,
    duplicates: one.duplicates ?? "",
  };
}

/** Return what is to be saved; how duplicates are recognised is saved by another call. */
export function changeOf(now: Draft, before: Draft): EventSettingsChange {
  const change: EventSettingsChange = {};
  if (now.name !== before.name) change.name = now.name;
  if (now.code !== before.code) change.event_code = tidyCode(now.code);
  if (now.zone !== before.zone) change.time_zone = now.zone || null;
  if (now.date !== before.date) change.date = now.date ? startOfDay(now.date) : null;
  if (now.end !== before.end) change.expires_at = endOfDay(now.end);
  if (now.accent !== before.accent) change.accent = now.accent || null;
  if (now.consent !== before.consent) change.consent_text = now.consent || null;
  if (now.selectedOnly !== before.selectedOnly) change.selected_only = now.selectedOnly;
  if (now.strip !== before.strip) change.strip_metadata = now.strip;
  return change;
}

/** Return what cannot be saved so, in the order of the form; what stands as it was may stay. */
export function wrongIn(now: Draft, before: Draft, today = dayOf(new Date())): Set<Checked> {
  const wrong = new Set<Checked>();
  if (!now.name.trim()) wrong.add("name");
  if (now.end !== before.end && (now.end < today || now.end < now.date)) wrong.add("end");
  if (now.code !== before.code && !isCode(now.code)) wrong.add("code");
  return wrong;
}
