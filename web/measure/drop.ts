/** Thousands of files, dropped onto the studio at once. */
import type { Browser } from "@playwright/test";
import { scene } from "./scene.ts";
import { signIn } from "./studio.ts";
import { longestTask } from "./tasks.ts";

/** While the first are sent, and the digests of the next are made. */
const AFTERWARDS_MILLISECONDS = 10_000;

export async function measureDrop(browser: Browser): Promise<Record<string, number>> {
  const context = await browser.newContext({
    baseURL: scene.url,
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
  });
  const next = `/studio/events/${scene.event}/upload`;
  const page = await context.newPage();
  await signIn(page, next);
  await page.locator("[data-upload=files]").waitFor({ state: "attached" });
  // What a browser hands over is made before it is counted.
  const files = await page.evaluateHandle((count) => {
    const transfer = new DataTransfer();
    for (let number = 0; number < count; number += 1) {
      const name = `DSC${String(number).padStart(5, "0")}.JPG`;
      transfer.items.add(new File([`not a photo: ${number}`], name, { type: "image/jpeg" }));
    }
    return transfer;
  }, scene.dropped);
  const longest = await longestTask(browser, page, async () => {
    await page.dispatchEvent("main", "drop", { dataTransfer: files });
    await page.getByRole("region", { name: "Upload" }).waitFor({ timeout: 60_000 });
    await page.waitForTimeout(AFTERWARDS_MILLISECONDS);
  });
  await context.close();
  return { drop_longest_task_ms: longest };
}
