/** What is stuck, by the same measures as the alerts: only that is red. */
import type { Situation } from "#lib/api/client.ts";

export type StuckKind =
  | "noRecognition"
  | "partitions"
  | "photos"
  | "selfies"
  | "messages"
  | "mails"
  | "mailsDead"
  | "erasures"
  | "letters";

export interface Stuck {
  kind: StuckKind;
  count: number;
  /** How long the oldest has waited; null where that is not known. */
  seconds: number | null;
}

/** Seconds that something may wait before somebody has to look (deploy/monitoring/prometheus). */
const PATIENCE = {
  photos: 900,
  selfies: 180,
  messages: 60,
  mails: 3600,
  erasures: 900,
} as const;
/** A process of recognition that has said nothing for longer is gone. */
export const SILENT_SECONDS = 60;

export function stuckOf(situation: Situation): Stuck[] {
  const found: Stuck[] = [];
  const oldest = Object.fromEntries(
    situation.waiting.map(({ kind, count, oldest_seconds: seconds }) => [kind, { count, seconds }]),
  );
  const analyse = oldest["photos_to_analyse"];
  const match = oldest["photos_to_match"];
  const photos = (analyse?.count ?? 0) + (match?.count ?? 0);
  const selfies = oldest["selfies"]?.count ?? 0;
  const isHeard = situation.replicas.some((one) => one.silent_seconds < SILENT_SECONDS);
  if (!isHeard && photos + selfies > 0)
    found.push({
      kind: "noRecognition",
      count: photos + selfies,
      seconds: Math.max(analyse?.seconds ?? 0, match?.seconds ?? 0),
    });
  const free = situation.partitions.filter((one) => !isHeld(one.owner, one.lease_seconds));
  if (isHeard && free.length) found.push({ kind: "partitions", count: free.length, seconds: null });
  const photosSeconds = Math.max(analyse?.seconds ?? 0, match?.seconds ?? 0);
  if (photosSeconds > PATIENCE.photos)
    found.push({ kind: "photos", count: photos, seconds: photosSeconds });
  for (const kind of ["selfies", "messages", "mails", "erasures"] as const) {
    const one = oldest[kind];
    if (one && one.seconds > PATIENCE[kind])
      found.push({ kind, count: one.count, seconds: one.seconds });
  }
  if (situation.mails_dead)
    found.push({ kind: "mailsDead", count: situation.mails_dead, seconds: null });
  const letters = situation.dead_letters.reduce((sum, one) => sum + one.letters, 0);
  if (letters) {
    const first = Math.min(...situation.dead_letters.map((one) => Date.parse(one.oldest_at)));
    found.push({
      kind: "letters",
      count: letters,
      seconds: Math.max(0, (Date.parse(situation.at) - first) / 1000),
    });
  }
  return found;
}

export function isHeld(owner: string | null, leaseSeconds: number | null): boolean {
  return owner !== null && leaseSeconds !== null && leaseSeconds > 0;
}
