/** Lighthouse's scores of what guests and photographers open first, 0 to 100. */
import { createServer, type AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext } from "@playwright/test";
import lighthouse, { desktopConfig, snapshot, type Result } from "lighthouse";
import puppeteer from "puppeteer-core";
import { LAUNCH, PHONE } from "../e2e/launch.ts";
import { openCrowded } from "./grid.ts";
import { scene } from "./scene.ts";
import { signIn } from "./studio.ts";

const CATEGORIES = {
  performance: "performance",
  accessibility: "accessibility",
  "best-practices": "best_practices",
};

/** Time for photos of a crowded event. */
const PATIENCE = { timeout: 120_000 };

/** Of the landing page, a guest's photos, one of them in full, and the studio. */
export async function measureScores(): Promise<Record<string, number>> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "findme-lighthouse-"));
  // Lighthouse opens a tab of its own, beside whoever is logged in.
  const context = await chromium.launchPersistentContext(folder, {
    ...LAUNCH,
    args: [...LAUNCH.args, `--remote-debugging-port=${port}`],
    baseURL: scene.url,
    locale: "en-GB",
  });
  try {
    return {
      ...(await scores(port, "landing", `/e/${scene.code}`)),
      ...(await scores(port, "photos", await asGuest(context))),
      ...(await viewerScores(port)),
      ...(await scores(port, "studio", await asPhotographer(context), true)),
    };
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function asGuest(context: BrowserContext): Promise<string> {
  const page = await context.newPage();
  await openCrowded(page);
  await page.close();
  return `/e/${scene.crowdedCode}`;
}

async function asPhotographer(context: BrowserContext): Promise<string> {
  await context.clearCookies();
  const page = await context.newPage();
  const path = `/studio/events/${scene.event}/photos`;
  await signIn(page, path);
  await page.close();
  return path;
}

async function scores(
  port: number,
  name: string,
  path: string,
  isDesktop = false,
): Promise<Record<string, number>> {
  const ran = await lighthouse(
    scene.url + path,
    { port, logLevel: "error", onlyCategories: Object.keys(CATEGORIES), disableStorageReset: true },
    isDesktop ? desktopConfig : undefined,
  );
  return found(name, ran);
}

/** Of a photo in full, which has no address of its own: as it stands there, without its loading. */
async function viewerScores(port: number): Promise<Record<string, number>> {
  const browser = await puppeteer.connect({
    browserURL: `http://127.0.0.1:${port}`,
    defaultViewport: PHONE.viewport,
  });
  const page = await browser.newPage();
  try {
    await page.goto(`${scene.url}/e/${scene.crowdedCode}`);
    // All photos: of the guest's own there are none.
    await page.waitForSelector("header [aria-pressed=false]", PATIENCE);
    await page.click("header [aria-pressed=false]");
    await page.waitForSelector("[data-photo] img.there", PATIENCE);
    await page.click("[data-photo]");
    await page.waitForSelector(".pswp--open [aria-pressed]", PATIENCE);
    const onlyCategories = ["accessibility", "best-practices"];
    return found("viewer", await snapshot(page, { flags: { logLevel: "error", onlyCategories } }));
  } finally {
    await page.close();
    await browser.disconnect();
  }
}

function found(name: string, ran: Result | undefined): Record<string, number> {
  if (!ran || ran.lhr.runtimeError) throw new Error(`${name}: ${ran?.lhr.runtimeError?.message}`);
  const scores: Record<string, number> = {};
  for (const [category, key] of Object.entries(CATEGORIES)) {
    if (!(category in ran.lhr.categories)) continue;
    const { score, auditRefs = [] } = ran.lhr.categories[category] ?? {};
    scores[`${name}_${key}`] = Math.round((score ?? 0) * 100);
    for (const { id, weight } of auditRefs) {
      const audit = ran.lhr.audits[id];
      if (weight && audit && audit.score !== null && audit.score < 0.9)
        console.error(`${name}: ${id}: ${audit.displayValue ?? audit.title}`);
    }
  }
  return scores;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
