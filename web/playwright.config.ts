import { defineConfig } from "@playwright/test";
import { LAUNCH, PHONE } from "./e2e/launch.ts";
import { scene } from "./e2e/scene.ts";

/** Where no picture is taken, none is drawn by what stands for a graphics card. */
const UNSEEN = ["--disable-gpu"];

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  workers: 1,
  reporter: [["list"]],
  // What it waits for has limits of its own: a busy machine is no failure.
  timeout: 450_000,
  expect: { timeout: 60_000 },
  use: {
    ...PHONE,
    baseURL: scene.url,
    serviceWorkers: "block",
    actionTimeout: 60_000,
    trace: "off",
    launchOptions: { ...LAUNCH, args: [...LAUNCH.args, ...(scene.screenshots ? [] : UNSEEN)] },
  },
});
