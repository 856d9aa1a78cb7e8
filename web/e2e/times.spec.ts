import { expect, test, type Locator, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { look } from "./look.ts";
import { scene } from "./scene.ts";

const PLACE = "Europe/Paris";
test.use({ viewport: { width: 1440, height: 900 }, hasTouch: false, timezoneId: PLACE });
refuseComplaints(test, /status of (400|401|404)/);

const EVENT = `/studio/events/${scene.event?.id}`;
const CAMERA = "Canon EOS R6";

/** One that browsers may know before the server does. */
const UNKNOWN = "Antarctica/New_Station";
const ENGLISH = "FindMe does not know this time zone. Choose another one, of a place near by.";
const FRENCH = "FindMe ne connaît pas ce fuseau horaire. Choisissez-en un autre, d’un lieu proche.";

async function knowMore(page: Page): Promise<void> {
  await page.addInitScript((more) => {
    const known = Intl.supportedValuesOf("timeZone");
    Intl.supportedValuesOf = () => [...known, more];
  }, UNKNOWN);
}

/** What the server refuses is said at its field, and no more as soon as another zone is chosen. */
async function expectRefused(zone: Locator, send: Locator, sentence: string): Promise<void> {
  await zone.selectOption(UNKNOWN);
  await send.click();
  await expect(zone).toHaveAccessibleDescription(sentence);
  await expect(zone).toHaveAttribute("aria-invalid", "true");
  await expect(zone).toBeFocused();
  await zone.selectOption(PLACE);
  await expect(zone).not.toHaveAccessibleDescription(sentence);
  await expect(zone).toHaveAttribute("aria-invalid", "false");
}

/** When the photos were taken, as the page tells it, in the order of the day. */
async function expectDay(page: Page, ...times: string[]): Promise<void> {
  await page.getByRole("link", { name: "Photos", exact: true }).click();
  await page.getByLabel("Order", { exact: true }).selectOption("As the day went");
  const cells = page.locator("[data-photo]");
  await expect(async () => {
    const shown = new Map<number, string>();
    for (const cell of await cells.all()) {
      const label = (await cell.getAttribute("aria-label")) ?? "";
      shown.set(Number(await cell.getAttribute("data-index")), /\d\d:\d\d/.exec(label)?.[0] ?? "");
    }
    expect([...shown].sort(([a], [b]) => a - b).map(([, time]) => time)).toEqual(times);
  }).toPass({ timeout: 60_000 });
}

async function openSettings(page: Page): Promise<Locator> {
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  const zone = page.getByLabel("Time zone");
  await expect(zone).toBeVisible();
  return zone;
}

async function openClock(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: `Put the clock right: ${CAMERA}` }).click();
  const sheet = page.getByRole("dialog");
  await expect(sheet).toBeVisible();
  return sheet;
}

test("photos stand in the day's order by their event's time zone and by clocks put right", async ({
  page,
  browser,
}) => {
  await knowMore(page);
  await page.goto(`/studio/login?next=${encodeURIComponent(EVENT)}`);
  await page.getByLabel("Name or e-mail address").fill(scene.photographer.username);
  await page.getByLabel("Password", { exact: true }).fill(scene.photographer.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`**${EVENT}**`);

  // Clocks as they are: a camera that was set to UTC comes first.
  await expectDay(page, "12:12", "14:00", "14:05", "14:10", "14:15");

  const zone = await openSettings(page);
  await expect(zone).toHaveValue("");
  const save = page.getByRole("button", { name: "Save", exact: true });
  await expectRefused(zone, save, ENGLISH);
  await look(page, "settings-zone");
  await save.click();
  await expect(page.getByText("Saved.")).toBeVisible();
  await expectDay(page, "14:00", "14:05", "14:10", "14:12", "14:15");

  // One camera was seven minutes behind.
  await openSettings(page);
  const sheet = await openClock(page);
  await sheet.getByRole("combobox").selectOption("behind");
  await sheet.getByLabel("min", { exact: true }).fill("7");
  await look(page, "settings-clock");
  await sheet.getByRole("button", { name: "Save", exact: true }).click();
  await expect(sheet).toBeHidden();
  await expect(page.getByText("Put 0 h 7 min forward")).toBeVisible();
  await expectDay(page, "14:05", "14:07", "14:12", "14:15", "14:17");

  // The same in French.
  const context = await browser.newContext({
    baseURL: scene.url,
    locale: "fr-FR",
    storageState: await page.context().storageState(),
  });
  const french = await context.newPage();
  await knowMore(french);
  await french.goto(`${EVENT}/settings`);
  const fuseau = french.getByLabel("Fuseau horaire");
  await expect(fuseau).toHaveValue(PLACE);
  await expectRefused(fuseau, french.getByRole("button", { name: "Enregistrer" }), FRENCH);
  await expect(french.getByText("Appareils photo")).toBeVisible();
  await context.close();

  // And back to what its clock says itself.
  await openSettings(page);
  const again = await openClock(page);
  await again.getByRole("button", { name: "Back to its own clock" }).click();
  await expect(again).toBeHidden();
  await expectDay(page, "14:00", "14:05", "14:10", "14:12", "14:15");

  // A new event is where its maker is, unless they say otherwise.
  await page.goto("/studio/new");
  const first = page.getByLabel("Time zone");
  await expect(first).toHaveValue(PLACE);
  await page.getByLabel("Name", { exact: true }).fill("Another dinner");
  await expectRefused(first, page.getByRole("button", { name: "Create the event" }), ENGLISH);
});
