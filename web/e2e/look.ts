/**
 * Looks at a page: nothing of it is inaccessible, in light and dark, or cut off at its edges; a picture
 * where one is wanted.
 */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { scene } from "./scene.ts";

const SCREENS = [
  { name: "phone", width: 360, height: 740 },
  { name: "tablet", width: 820, height: 1180 },
  { name: "laptop", width: 1440, height: 900 },
] as const;
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const CONTRAST = ["color-contrast"];
const SCHEMES = ["light", "dark"] as const;

type Options = Parameters<AxeBuilder["options"]>[0];
type Results = Awaited<ReturnType<AxeBuilder["analyze"]>>;
type Axe = { axe: { run: (context: Document, options: Options) => Promise<Results> } };

export async function look(page: Page, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: SCHEMES[0], reducedMotion: "reduce" });
  await still(page);
  expect(await cutOff(page), `${name}, cut off`).toEqual([]);
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    // In the dark only colours differ.
    const violations = await violationsOf(page, colorScheme === "light" ? TAGS : CONTRAST);
    const said = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((one) => one.html).join(" ")}`,
    );
    expect(said, `${name}, ${colorScheme}`).toEqual([]);
    if (scene.screenshots) await photograph(page, name, colorScheme);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: "reduce" });
  await page.evaluate(() => {
    document.adoptedStyleSheets = [];
  });
}

/** Buttons whose words have no room, or that are not wholly on the page; and a page that is too wide. */
function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const found = [...document.querySelectorAll("button, a.button")].filter((button) => {
      const { left, right, width: own } = button.getBoundingClientRect();
      const isScrolled = button.closest(".table, nav, [role=tablist]") !== null;
      const isOut = !isScrolled && own > 0 && (left < -1 || right > width + 1);
      return isOut || button.scrollWidth > button.clientWidth + 1;
    });
    const said = found.map((button) => button.getAttribute("aria-label") ?? button.textContent);
    const page = document.documentElement.scrollWidth;
    return page > width ? [`the page is ${page} wide`, ...said] : said;
  });
}

/**
 * What axe finds by these rules in the page, which has no frames. The builder's own way opens
 * another page for each result, and reads axe's half a megabyte three times: here a document keeps it.
 */
async function violationsOf(page: Page, runOnly: string[]): Promise<Results["violations"]> {
  // Of what is well, one example each: to describe every element takes most of the time.
  const options: Options = { runOnly, resultTypes: ["violations"] };
  if (!(await page.evaluate(() => "axe" in window))) {
    const builder = new AxeBuilder({ page }).setLegacyMode().options(options);
    return (await builder.analyze()).violations;
  }
  return page.evaluate(async (options) => {
    const { axe } = window as unknown as Axe;
    return (await axe.run(document, options)).violations;
  }, options);
}

/**
 * Have colours at once what they become: on their way from one scheme to the other they are
 * neither's, and those that are inherited set out where the outer ones have arrived.
 */
async function still(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("*, *::before, *::after { transition: none !important }");
    document.adoptedStyleSheets = [sheet];
    await new Promise(requestAnimationFrame);
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
