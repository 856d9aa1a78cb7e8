import { expect, test } from "vitest";
import { oneAtATime } from "./once.ts";

test("what is under way is not begun again, and afterwards it is, also if it failed", async () => {
  const loads: PromiseWithResolvers<string>[] = [];
  const load = oneAtATime(() => {
    const begun = Promise.withResolvers<string>();
    loads.push(begun);
    return begun.promise;
  });

  const first = load();
  await load();
  expect(loads).toHaveLength(1);
  loads[0]?.reject(new Error("away"));
  await expect(first).rejects.toThrow("away");

  const second = load();
  expect(loads).toHaveLength(2);
  loads[1]?.resolve("here");
  await second;
});
