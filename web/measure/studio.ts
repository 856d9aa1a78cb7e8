/** The photographer's way into the studio. */
import type { Page } from "@playwright/test";
import { scene } from "./scene.ts";

export async function signIn(page: Page, next: string): Promise<void> {
  await page.goto(`/studio/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Name or e-mail address").fill(scene.photographer.username);
  await page.getByLabel("Password", { exact: true }).fill(scene.photographer.password);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${next}`);
}
