/** How long something has waited, in words of one unit. */
import { adminWords } from "#lib/i18n/admin/admin.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function span(seconds: number): string {
  const w = adminWords.words;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 2 * MINUTE) return w.seconds(whole);
  if (whole < 2 * HOUR) return w.minutes(Math.floor(whole / MINUTE));
  if (whole < 2 * DAY) return w.hours(Math.floor(whole / HOUR));
  return w.days(Math.floor(whole / DAY));
}
