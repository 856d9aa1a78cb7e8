// Measures the pages in Chromium; the last line is what was measured, as JSON.
import { chromium } from "@playwright/test";
import { measureDrop } from "./drop.ts";
import { measureFirstPage } from "./first-page.ts";
import { measureGrid } from "./grid.ts";
import { measureGuest } from "./guest.ts";
import { LAUNCH } from "../e2e/launch.ts";
import { measureScores } from "./lighthouse.ts";

const browser = await chromium.launch(LAUNCH);
try {
  const measured = {
    ...(await measureFirstPage(browser)),
    ...(await measureGuest(browser)),
    ...(await measureGrid(browser)),
    ...(await measureScores()),
    // Last: what was dropped is being sent for longer.
    ...(await measureDrop(browser)),
  };
  console.log(JSON.stringify(measured));
} finally {
  await browser.close();
}
