// @vitest-environment happy-dom
import { beforeAll, expect, test } from "vitest";
import { Problem } from "#lib/api/client.ts";
import { loadWords, t } from "#lib/i18n/words.svelte.ts";
import answers from "./answers.json";
import { refusal } from "./judge.ts";
import { luminance } from "./picture.ts";

beforeAll(() => loadWords("fr"));

test("every answer of the server is said in the reader's language", () => {
  for (const [sentence, key] of Object.entries(answers)) {
    const said = refusal(new Problem(400, sentence.replace("N", "25")));
    expect(said).toBe(t().selfie.answers[key as keyof ReturnType<typeof t>["selfie"]["answers"]]);
    expect(said).not.toBe(sentence);
  }
});

test("what we have no words for is said as it is, and an outage as an outage", () => {
  expect(refusal(new Problem(400, "Turn the phone."))).toBe("Turn the phone.");
  expect(refusal(new Problem(503))).toBe(t().problem.busy);
  expect(refusal(new Problem(429, "", 240))).toContain("4 minutes");
  expect(refusal(new Error("?"))).toBe(t().problem.other);
});

test("darkness is measured as eyes see it", () => {
  expect(luminance(new Uint8ClampedArray([0, 0, 0, 255]))).toBe(0);
  expect(luminance(new Uint8ClampedArray([255, 255, 255, 255]))).toBeCloseTo(255);
  expect(luminance(new Uint8ClampedArray([0, 255, 0, 255]))).toBeGreaterThan(
    luminance(new Uint8ClampedArray([255, 0, 0, 255])),
  );
});
