/** Looks at a page: nothing of it is inaccessible, in light and dark; a picture where one is wanted. */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { scene } from "./scene.ts";

const SCREENS = [
  { name: "phone", width: 360, height: 740 },
  { name: "tablet", width: 820, height: 1180 },
  { name: "laptop", width: 1440, height: 900 },
] as const;
const SCHEMES = ["light", "dark"] as const;
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await settled(page);
    const axe = new AxeBuilder({ page });
    // In the dark only colours differ.
    if (colorScheme === "light") axe.withTags(TAGS);
    else axe.withRules(["color-contrast"]);
    const { violations } = await axe.analyze();
    const said = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((one) => one.html).join(" ")}`,
    );
    expect(said, `${name}, ${colorScheme}`).toEqual([]);
    if (scene.screenshots) await photograph(page, name, colorScheme);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: "reduce" });
}

/** Colours on their way from one scheme to the other are neither's. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await new Promise(requestAnimationFrame);
    const changes = document.getAnimations().filter((one) => one instanceof CSSTransition);
    await Promise.allSettled(changes.map((one) => one.finished));
  });
}

async function photograph(page: Page, name: string, colorScheme: string): Promise<void> {
  const before = page.viewportSize();
  for (const { name: screen, width, height } of SCREENS) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(400); // pictures of another size are fetched
    await page.screenshot({ path: `screenshots/${name}-${screen}-${colorScheme}.png` });
  }
  if (before) await page.setViewportSize(before);
}
