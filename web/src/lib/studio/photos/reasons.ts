/** Why a photo failed, told from the server's sentence, which is in English. */
export type Reason = "broke" | "changed" | "unreadable";

/** How many percent of a photo are missing, told from the server's note on it; 0 where that is unknown. */
export function missingPercent(note: string): number {
  return Number(/(\d+) % of it is missing/.exec(note)?.[1] ?? 0);
}

export function reasonOf(error: string | null): Reason {
  if (/broke down|several attempts/.test(error ?? "")) return "broke";
  if (/not what was uploaded/.test(error ?? "")) return "changed";
  return "unreadable";
}
