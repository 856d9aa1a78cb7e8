/** Days as date fields have them ("2026-11-28"), in the time zone of who looks. */

export function dayOf(moment: Date): string {
  const pad = (n: number): string => String(n).padStart(2, "0");
  return `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
}

export function dayAfter(day: string, days: number): string {
  const moment = new Date(`${day}T12:00`);
  moment.setDate(moment.getDate() + days);
  return dayOf(moment);
}

/** The moment as the API takes it. */
export function startOfDay(day: string): string {
  return new Date(`${day}T00:00`).toISOString();
}

export function endOfDay(day: string): string {
  return new Date(`${day}T23:59:59`).toISOString();
}
