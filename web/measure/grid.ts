/** A grid of thousands of photos that is scrolled through, and the memory that it takes. */
import type { Browser, Page } from "@playwright/test";
import { PHONE } from "../e2e/launch.ts";
import { scene } from "./scene.ts";
import { longestTask } from "./tasks.ts";

const PIXELS = 20_000;
const PIXELS_A_STEP = 100;
const PAUSE_MILLISECONDS = 20;

export async function measureGrid(browser: Browser): Promise<Record<string, number>> {
  const context = await browser.newContext({ ...PHONE, baseURL: scene.url });
  const page = await context.newPage();
  await openCrowded(page);
  await page.getByRole("button", { name: /^All/ }).click();
  await page.locator("[data-photo] img").first().waitFor({ timeout: 120_000 });
  const session = await context.newCDPSession(page);
  await page.mouse.move(180, 500);
  const longest = await longestTask(browser, page, async () => {
    for (let pixels = 0; pixels < PIXELS; pixels += PIXELS_A_STEP) {
      await page.mouse.wheel(0, PIXELS_A_STEP);
      await page.waitForTimeout(PAUSE_MILLISECONDS);
    }
  });
  const scrolled = await page.evaluate(() => scrollY);
  if (scrolled < PIXELS / 4) throw new Error(`the page scrolled by ${scrolled} pixels alone`);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await context.close();
  return { grid_longest_task_ms: longest, grid_heap_mb: Number((usedSize / 1e6).toFixed(1)) };
}

/** Become a guest of the event with thousands of photos, and open it. */
export async function openCrowded(page: Page): Promise<void> {
  const { request } = page.context();
  const consent = await request.get("/api/consent?language=en");
  const { version } = (await consent.json()) as { version: string };
  const joined = await request.post("/api/join", {
    data: { event_code: scene.crowdedCode, name: "Alexandra", consent_version: version },
  });
  if (!joined.ok()) throw new Error(`join: ${joined.status()} ${await joined.text()}`);
  // As by a link from another device: from then on this browser knows that somebody has joined.
  await page.goto("/?opened");
  await page.getByRole("link", { name: "The whole city" }).click();
  await page.waitForURL(`**/e/${scene.crowdedCode}`);
}
