import { expect, test } from "vitest";
import { clamped, fieldOf, hoursAndMinutes, nameOf, secondsOf } from "./cameras.ts";

const camera = (make: string, model: string) => ({
  id: 1,
  make,
  model,
  serial: "",
  photos: 1,
  first_taken_at: null,
  last_taken_at: null,
  shift_seconds: 0,
  samples: [],
});

test.each([
  ["Canon", "Canon EOS R6", "Canon EOS R6"],
  ["NIKON CORPORATION", "NIKON Z 6", "NIKON Z 6"],
  ["Apple", "iPhone 15", "Apple iPhone 15"],
  ["", "SM-G991B", "SM-G991B"],
  ["Kodak", "", "Kodak"],
])("a camera by %s that calls itself %s", (make, model, name) => {
  expect(nameOf(camera(make, model))).toBe(name);
});

test("a camera's clock is told in no zone", () => {
  const taken = "2026-06-13T15:04:05";
  expect(fieldOf(secondsOf(taken) + 3780)).toBe("2026-06-13T16:07:05");
  expect(secondsOf("2026-06-13T16:07") - secondsOf(taken)).toBe(3775);
});

test.each([
  [3780, [1, 3]],
  [-90061, [25, 1]],
  [3599, [1, 0]],
  [0, [0, 0]],
])("%d seconds are told in hours and minutes", (seconds, told) => {
  expect(hoursAndMinutes(seconds)).toEqual(told);
});

test.each([
  [3780, 3780],
  [-3780, -3780],
  [9e9 * 3600, 1_264_896_000],
  [-Infinity, -1_264_896_000],
])("a shift of %d seconds is one of %d, which a field can show", (shift, seconds) => {
  expect(clamped(shift)).toBe(seconds);
  const taken = secondsOf("2026-06-13T15:04:05");
  expect(fieldOf(taken + clamped(shift))).toMatch(/^\d{4}-\d\d-\d\dT/);
});
