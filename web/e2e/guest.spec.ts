import { expect, test, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { documentsOf } from "./documents.ts";
import { look } from "./look.ts";
import { demandSureness, upload } from "./photographer.ts";
import { scene } from "./scene.ts";

const EVENT = `/e/${scene.code}`;
/** A photo on a busy machine. */
const ANALYSED_MILLISECONDS = 60_000;

// Answers that a test asks for, which browsers write into the console as errors.
refuseComplaints(test, /status of (400|404|410|401)|ERR_INTERNET_DISCONNECTED|ERR_FAILED/);

const photos = (page: Page) => page.locator("[data-photo]");

/** The grid has so many photos, of which those near the screen are there. */
async function expectPhotos(page: Page, count: number, timeout = 15_000): Promise<void> {
  const listed = page.locator("[aria-setsize]").first();
  await expect(listed).toHaveAttribute("aria-setsize", String(count), { timeout });
}

async function agree(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "Find my photos" }).click();
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("I agree to this").check();
  await page.getByRole("button", { name: "Take a selfie" }).click();
}

test("from the code to one's photos, and to none of it any more", async ({ page, request }) => {
  await page.goto("/");
  await look(page, "door");
  await page.getByLabel("Event code").fill("GALA");
  await page.getByRole("button", { name: "Open the event" }).click();
  await expect(page.getByRole("alert")).toHaveText(/at least six/);
  await page.getByLabel("Event code").fill(scene.code.toLowerCase());
  await page.keyboard.press("Enter");

  await expect(page.getByRole("heading", { name: scene.event.name })).toBeVisible();
  await expect(page.getByText(`${scene.photos} photos`)).toBeVisible();
  await look(page, "landing");
  await page.getByRole("button", { name: "How this works" }).click();
  await expect(page.getByText("You take a selfie.")).toBeVisible();
  await look(page, "how");
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Find my photos" }).click();
  await page.getByRole("button", { name: "Take a selfie" }).click();
  await expect(page.getByText("Tell us your name.")).toBeVisible();
  await look(page, "consent");
  await page.goBack();
  await expect(page.getByRole("dialog")).toBeHidden();

  await agree(page, "Zoë");
  const shutter = page.getByRole("button", { name: "Take the picture" });
  await expect(shutter).toBeEnabled();
  await look(page, "camera");
  await shutter.click();
  await expect(page.getByText("That is a good one")).toBeVisible();
  await look(page, "selfie-good");
  await page.getByRole("button", { name: "Find my photos" }).click();

  await expectPhotos(page, scene.own);
  await expect(page.getByRole("button", { name: `Yours ${scene.own}` })).toBeVisible();
  await expect(page.getByText("Live")).toBeVisible();
  await look(page, "yours");

  // A photo is taken while one looks further down: the page stays where it is until one wants it.
  await page.setViewportSize({ width: 360, height: 300 });
  await page.waitForFunction(() => document.documentElement.scrollHeight < 700);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  const place = await page.evaluate(() => scrollY);
  expect(place).toBeGreaterThan(80);
  await upload(request, scene.late);
  const fresh = page.getByRole("button", { name: "Show 1 new photo" });
  await expect(fresh).toBeVisible({ timeout: ANALYSED_MILLISECONDS });
  await expectPhotos(page, scene.own);
  expect(await page.evaluate(() => scrollY)).toBe(place);
  await look(page, "new");
  await fresh.click();
  await expectPhotos(page, scene.own + 1);
  await page.setViewportSize({ width: 360, height: 740 });
  const all = scene.own + 1;

  // At the top, photos come in as they are. Who must be sure is asked: is this you?
  await demandSureness(request, 100);
  const asked = page.getByRole("button", { name: /^Is this you\?/ });
  await expect(asked).toBeVisible();
  await expect(page.getByRole("heading", { name: "No photo of you yet" })).toBeVisible();
  await look(page, "none");
  await asked.click();
  const face = page.getByRole("dialog").getByRole("img");
  await expect(face).toHaveJSProperty("complete", true);
  await look(page, "is-this-you");
  const left = page.getByText(/left$|^The last one$/);
  const before = await left.textContent();
  await page.getByRole("button", { name: "Yes, that is me" }).click();
  await expect(page.getByText(/left$|^The last one$|^Thank you/)).not.toHaveText(before ?? "");
  await page.keyboard.press("Escape");
  await expectPhotos(page, 1);
  await demandSureness(request, null);
  await expectPhotos(page, all);

  await page.getByRole("button", { name: /^All / }).click();
  await expectPhotos(page, scene.photos + 1);
  await look(page, "all");
  await page.getByRole("button", { name: /^Yours / }).click();

  // By keyboard: into the grid, from photo to photo, into the viewer and out again.
  const first = photos(page).first();
  await first.focus();
  await page.keyboard.press("ArrowRight");
  await expect(photos(page).nth(1)).toBeFocused();
  await page.keyboard.press("Enter");
  const viewer = page.getByRole("dialog");
  await expect(viewer.getByRole("button", { name: "Download" })).toBeVisible();
  await look(page, "viewer");
  const file = page.waitForEvent("download");
  await viewer.getByRole("button", { name: "Download" }).click();
  expect((await file).suggestedFilename()).toMatch(/\.jpg$/);
  const heart = viewer.getByRole("button", { name: "Favourite" });
  await heart.click();
  await expect(heart).toHaveAttribute("aria-pressed", "true");
  const last = await viewer.getByRole("button", { name: "Not me" }).boundingBox();
  expect((last?.x ?? 0) + (last?.width ?? 0), "the bar fits a phone").toBeLessThanOrEqual(360);
  await page.keyboard.press("Escape");
  await expect(viewer).toBeHidden();
  await expect(photos(page).nth(1)).toBeFocused();
  const favourites = page.getByRole("button", { name: "Favourites 1" });
  await favourites.click();
  await expectPhotos(page, 1);
  await look(page, "favourites");
  await favourites.click();
  await expectPhotos(page, all);
  await photos(page).first().click();
  await expect(viewer).toBeVisible();
  await page.goBack();
  await expect(viewer).toBeHidden();

  // Not me, and back; not me, for good.
  for (const isTakenBack of [true, false]) {
    await photos(page).first().click();
    await viewer.getByRole("button", { name: "Not me" }).click();
    await expectPhotos(page, all - 1);
    if (!isTakenBack) break;
    await page.getByRole("button", { name: "Undo" }).click();
    await expectPhotos(page, all);
  }

  await page.getByRole("button", { name: "Select", exact: true }).click();
  await photos(page).first().click();
  await photos(page).nth(1).click();
  await expect(page.getByText("2 selected")).toBeVisible();
  await look(page, "select");
  const archive = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  expect((await archive).suggestedFilename()).toMatch(/\.zip$/);
  await page.keyboard.press("Escape");

  // What was said stays said.
  await page.reload();
  await expectPhotos(page, all - 1);

  await page.getByRole("link", { name: "You and your data" }).click();
  await expect(page.getByText("You are Zoë here.")).toBeVisible();
  await expect(page.getByRole("img", { name: "Selfie 1" })).toBeVisible();
  await page.getByRole("button", { name: "Show a code" }).click();
  await expect(page.getByRole("img", { name: /QR code/ })).toBeVisible();
  await look(page, "me");

  await page.getByRole("button", { name: "Français" }).click();
  await expect(page.getByRole("heading", { name: "Vos selfies" })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "fr");
  await look(page, "me-french");
  await page.getByRole("link", { name: "Retour" }).click();
  await expect(page.getByRole("button", { name: /^Les vôtres/ })).toBeVisible();
  await look(page, "yours-french");
  await photos(page).first().click();
  await expect(viewer).toBeVisible();
  await look(page, "viewer-french");
  await page.keyboard.press("Escape");
  await expect(viewer).toBeHidden();
  await page.getByRole("button", { name: "Choisir", exact: true }).click();
  await look(page, "select-french");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Vous et vos données" }).click();
  await page.getByRole("button", { name: "English" }).click();

  await page.getByRole("button", { name: "Delete everything" }).click();
  await look(page, "delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete everything" }).click();
  await expect(page.getByRole("heading", { name: /is deleted/ })).toBeVisible();
  await look(page, "receipt");
  await page.goto(EVENT);
  await expect(page.getByRole("button", { name: "Find my photos" })).toBeVisible();
});

test("without a camera a photo does, and what is wrong with it is said", async ({ page }) => {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () =>
      Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.goto(EVENT);
  await agree(page, "Max");
  await expect(page.getByText("The camera is not allowed")).toBeVisible();
  await look(page, "camera-refused");
  // A photo that is there already may be chosen: `capture` would open the phone's camera instead.
  const choosing = page.waitForEvent("filechooser");
  await page.getByText("Choose a photo", { exact: true }).click();
  await choosing;
  await expect(page.getByLabel("Choose a photo")).not.toHaveAttribute("capture");
  await page.getByLabel("Choose a photo").setInputFiles(scene.nobody);
  const again = page.getByRole("button", { name: "Take another" });
  await expect(again).toBeEnabled();
  await expect(page.getByText(/We see (no|more than one) face|Come closer/)).toBeVisible();
  await look(page, "selfie-refused");
});

test("a part of the page that does not come is asked for again", async ({ page }) => {
  await page.goto(EVENT);
  await expect(page.getByRole("button", { name: "Find my photos" })).toBeVisible();
  await page.route("**/_app/immutable/**", (route) => route.abort());
  await agree(page, "Max");
  await expect(page.getByRole("heading", { name: "The page could not be loaded" })).toBeVisible();
  await page.unroute("**/_app/immutable/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("button", { name: "Find my photos" })).toBeVisible();
});

test("what is not there, is over or out of reach says so", async ({ page, context }) => {
  const documents = documentsOf(page);
  await page.goto("/e/NOSUCHCODE");
  await expect(page.getByRole("heading", { name: "No event has this code" })).toBeVisible();
  await look(page, "unknown");
  await page.goto(`/e/${scene.over}`);
  await expect(page.getByRole("heading", { name: "This event has ended" })).toBeVisible();
  await look(page, "over");
  await page.reload({ waitUntil: "networkidle" });
  await expect(page.getByRole("heading", { name: "This event has ended" })).toBeVisible();
  expect(documents).toEqual(["/e/NOSUCHCODE", `/e/${scene.over}`, `/e/${scene.over}`]);
  await page.goto("/nowhere/at/all", { waitUntil: "networkidle" });
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  await look(page, "missing");

  await page.goto("/");
  await page.getByLabel("Event code").fill(scene.code);
  await context.setOffline(true);
  await page.getByRole("button", { name: "Open the event" }).click();
  await expect(page.getByText(/You are offline/)).toBeVisible();
  await look(page, "offline");
  await context.setOffline(false);
  await expect(page.getByRole("heading", { name: scene.event.name })).toBeVisible();
});
