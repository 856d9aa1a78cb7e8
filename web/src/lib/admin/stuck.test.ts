import { describe, expect, test } from "vitest";
import type { Situation } from "#lib/api/client.ts";
import { stuckOf } from "./stuck.ts";

const AT = "2026-06-01T12:00:00Z";
const CALM: Situation = {
  at: AT,
  waiting: [],
  mails_dead: 0,
  dead_letters: [],
  failed_photos: 3,
  partitions: [{ partition: 0, owner: "a", epoch: 1, lease_seconds: 8, changed_at: AT }],
  replicas: [{ replica_id: "a", engine: "embedded", started_at: AT, silent_seconds: 2 }],
  database_bytes: 1,
  grafana_url: null,
};
const waiting = (
  kind: Situation["waiting"][number]["kind"],
  oldest_seconds: number,
): Situation["waiting"] => [{ kind, count: 4, oldest_seconds }];

describe("what is stuck", () => {
  test("is nothing where all goes on, whatever failed for good", () => {
    expect(stuckOf(CALM)).toEqual([]);
    expect(stuckOf({ ...CALM, waiting: waiting("photos_to_analyse", 899) })).toEqual([]);
  });

  test("is what waits for longer than it should", () => {
    expect(stuckOf({ ...CALM, waiting: waiting("photos_to_match", 901) })).toEqual([
      { kind: "photos", count: 4, seconds: 901 },
    ]);
    expect(stuckOf({ ...CALM, waiting: waiting("messages", 61) })[0]?.kind).toBe("messages");
  });

  test("is work that nobody is there for", () => {
    const silent = [{ ...CALM.replicas[0]!, silent_seconds: 600 }];
    expect(stuckOf({ ...CALM, replicas: silent })).toEqual([]);
    expect(
      stuckOf({ ...CALM, replicas: silent, waiting: waiting("photos_to_analyse", 30) }),
    ).toEqual([{ kind: "noRecognition", count: 4, seconds: 30 }]);
  });

  test("is a partition that nobody holds", () => {
    const partitions = [{ ...CALM.partitions[0]!, lease_seconds: -3 }];
    expect(stuckOf({ ...CALM, partitions })).toEqual([
      { kind: "partitions", count: 1, seconds: null },
    ]);
  });

  test("is a letter that was given up, since when the first was", () => {
    const dead_letters = [
      { queue: "findme.match.00", letters: 2, oldest_at: "2026-06-01T11:59:00Z" },
      { queue: "findme.match.01", letters: 1, oldest_at: "2026-06-01T11:50:00Z" },
    ];
    expect(stuckOf({ ...CALM, dead_letters })).toEqual([
      { kind: "letters", count: 3, seconds: 600 },
    ]);
  });
});
