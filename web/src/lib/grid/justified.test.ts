import { describe, expect, test } from "vitest";
import { justify, rowsBetween } from "./justified.ts";

const MEASURES = { width: 1000, rowHeight: 200, gap: 4 };
/** The same at each run: shapes of phones, cameras and panoramas. */
const RATIOS = Array.from({ length: 5000 }, (_, n) => [1.5, 0.75, 1.33, 0.5625, 3][(n * 7) % 5]!);

describe("justified rows", () => {
  test("hold every photo once, in order, in its own shape", () => {
    const { rows } = justify(RATIOS, MEASURES);
    const cells = rows.flatMap((row) => row.cells.map((cell) => ({ ...cell, height: row.height })));
    expect(cells.map((cell) => cell.index)).toEqual(RATIOS.map((_, n) => n));
    for (const { index, width, height } of cells)
      expect(width / height).toBeCloseTo(RATIOS[index]!);
  });

  test("fill the width to the pixel, but for the last", () => {
    const { rows } = justify(RATIOS, MEASURES);
    for (const row of rows.slice(0, -1)) {
      const last = row.cells.at(-1)!;
      expect(last.left + last.width).toBeCloseTo(MEASURES.width);
      expect(row.height).toBeLessThanOrEqual(MEASURES.rowHeight);
    }
    const alone = justify([0.5], MEASURES).rows[0]!;
    expect(alone.height).toBe(250);
  });

  test("lie below each other without a gap too many", () => {
    const { rows, height } = justify(RATIOS, MEASURES);
    let top = 0;
    for (const row of rows) {
      expect(row.top).toBeCloseTo(top);
      top += row.height + MEASURES.gap;
    }
    expect(height).toBeCloseTo(top - MEASURES.gap);
    expect(justify([], MEASURES)).toEqual({ rows: [], height: 0 });
  });

  test("are few near the screen, and those that touch it", () => {
    const { rows, height } = justify(RATIOS, MEASURES);
    for (const from of [-500, 0, 3333, height - 100, height + 500]) {
      const to = from + 800;
      const shown = rowsBetween(rows, from, to);
      const wanted = rows.filter((row) => row.top <= to && row.top + row.height >= from);
      expect(shown).toEqual(wanted);
      expect(shown.length).toBeLessThan(8);
    }
  });
});
