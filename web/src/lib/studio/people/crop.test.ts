import { describe, expect, it } from "vitest";
import { cropOf } from "./crop.ts";

const box = (left: number, top: number, width: number, height: number) => ({
  left,
  top,
  width,
  height,
});

describe("the window on a face", () => {
  it("has the face in its middle", () => {
    const { width, left, top } = cropOf(box(0.45, 0.4, 0.1, 0.2), 2);
    const side = 2 / width;
    expect(side).toBeCloseTo(0.38);
    expect(-left * side + side / 2).toBeCloseTo(1);
    expect(-top * side + side / 2).toBeCloseTo(0.5);
  });

  it.each([
    ["a corner", box(0, 0, 0.1, 0.2), 1.5],
    ["the other corner", box(0.9, 0.8, 0.1, 0.2), 1.5],
    ["a strip", box(0.2, 0.4, 0.6, 0.2), 0.4],
    ["nearly all of it", box(0.1, 0.05, 0.8, 0.9), 1.5],
  ])("stays within the photo at %s", (_, face, ratio) => {
    const { width, left, top } = cropOf(face, ratio);
    const side = ratio / width;
    expect(side).toBeLessThanOrEqual(Math.min(1, ratio) + 1e-9);
    expect(-left * side).toBeGreaterThanOrEqual(-1e-9);
    expect(-left * side + side).toBeLessThanOrEqual(ratio + 1e-9);
    expect(-top * side + side).toBeLessThanOrEqual(1 + 1e-9);
  });
});
