/** What a QR code opens, on a phone of the middle class in a mobile network. */
import type { Browser } from "@playwright/test";
import { PHONE } from "../e2e/launch.ts";
import { median, scene } from "./scene.ts";

/** Chromium's own "Fast 4G" and "4 times slower". */
const FAST_4G = {
  offline: false,
  latency: 165,
  downloadThroughput: (9_000_000 / 8) * 0.9,
  uploadThroughput: (1_500_000 / 8) * 0.9,
};
const SLOWDOWN = 4;
/** What comes later shifts nothing any more. */
const QUIET_MILLISECONDS = 1500;

interface Seen {
  largest: number;
  shift: number;
  usable: number;
}

export async function measureFirstPage(browser: Browser): Promise<Record<string, unknown>> {
  const seen: Seen[] = [];
  let scripts: string[] = [];
  for (let round = 0; round < scene.rounds; round += 1) {
    const context = await browser.newContext({ ...PHONE, deviceScaleFactor: 3 });
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.emulateNetworkConditions", FAST_4G);
    await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
    await page.addInitScript(watch);
    await page.goto(`${scene.url}/e/${scene.code}`);
    await page.getByRole("button", { name: "Find my photos" }).waitFor();
    scripts = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => new URL(name).pathname)
        .filter((path) => path.endsWith(".js") && path.startsWith("/_app/")),
    );
    await page.waitForTimeout(QUIET_MILLISECONDS);
    seen.push(await page.evaluate(() => (window as unknown as { seen: Seen }).seen));
    await context.close();
  }
  return {
    firstPageScripts: [...new Set(scripts)],
    lcp_s: seconds(seen.map(({ largest }) => largest)),
    interactive_s: seconds(seen.map(({ usable }) => usable)),
    layout_shift: Number(median(seen.map(({ shift }) => shift)).toFixed(4)),
  };
}

/** In the page, before anything of its own: when what is there. */
function watch(): void {
  const seen: Seen = { largest: 0, shift: 0, usable: 0 };
  (window as unknown as { seen: Seen }).seen = seen;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) seen.largest = entry.startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      seen.shift += (entry as unknown as { value: number }).value;
  }).observe({ type: "layout-shift", buffered: true });
  // A button of this app is there once it answers: nothing is drawn before its script runs.
  const look = (): void => {
    const button = [...document.querySelectorAll("button")].find(
      ({ textContent }) => textContent?.trim() === "Find my photos",
    );
    if (button) seen.usable = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}

function seconds(milliseconds: number[]): number {
  return Number((median(milliseconds) / 1000).toFixed(3));
}
