/** What the benchmark that starts FindMe says of it (benchmarks/web). */
export interface Scene {
  url: string;
  code: string;
  event: number;
  photographer: { username: string; password: string };
  /** Files: photos of the guest that are taken while their page is open. */
  late: string[];
  crowdedCode: string;
  chromium: string;
  camera: string;
  rounds: number;
  /** How many files are dropped at once. */
  dropped: number;
}

export const scene = JSON.parse(process.env["FINDME_SCENE"] ?? "{}") as Scene;

export function median(values: number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
