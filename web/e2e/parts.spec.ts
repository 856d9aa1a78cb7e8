import { readFile } from "node:fs/promises";
import { expect, test, type APIRequestContext, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { look } from "./look.ts";
import { upload } from "./photographer.ts";
import { scene } from "./scene.ts";

test.use({ viewport: { width: 1440, height: 900 }, hasTouch: false });
refuseComplaints(test, /status of (400|401|404|409)|net::ERR_/);

const EVENT = `/studio/events/${scene.event.id}`;
/** A photo on a busy machine. */
const ANALYSED_MILLISECONDS = 60_000;
const GUEST = "Zoë";

const photos = (page: Page) => page.locator("[data-photo]");
const hidden = (page: Page) => page.getByRole("button", { name: /, hidden/ });

async function expectPhotos(page: Page, count: number): Promise<void> {
  const listed = page.locator("[aria-setsize]").first();
  await expect(listed).toHaveAttribute("aria-setsize", String(count));
}

/** A guest who sent a selfie, and is found. */
async function join(request: APIRequestContext): Promise<void> {
  const consent = (await (await request.get("/api/consent")).json()) as { version: string };
  const answer = await request.post("/api/join-with-selfie", {
    multipart: {
      event_code: scene.code,
      name: GUEST,
      consent_version: consent.version,
      language: "en",
      file: { name: "me.jpg", mimeType: "image/jpeg", buffer: await readFile(scene.selfie) },
    },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  const found = async (): Promise<number> =>
    ((await (await request.get("/api/my-photos")).json()) as unknown[]).length;
  await expect.poll(found, { timeout: ANALYSED_MILLISECONDS }).toBe(scene.own);
}

async function signIn(page: Page): Promise<void> {
  await page.goto(`${EVENT}/photos`);
  await page.getByLabel("Name or e-mail address").fill(scene.photographer.username);
  await page.getByLabel("Password", { exact: true }).fill(scene.photographer.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: scene.event.name })).toBeVisible();
}

const part = (page: Page, name: string) =>
  page.getByRole("navigation", { name: "Parts of the event" }).getByRole("link", { name }).click();

test("photos, people, guests and settings of an event", async ({ page, playwright }) => {
  const guests = await playwright.request.newContext({ baseURL: scene.url });
  await join(guests);
  await signIn(page);
  await expectPhotos(page, scene.photos);
  await look(page, "parts-photos");

  // What failed comes first, with why, and may be tried again.
  const photographer = await playwright.request.newContext({ baseURL: scene.url });
  await upload(photographer, scene.late);
  const failed = page.getByRole("heading", { name: "1 photo could not be analysed" });
  await expect(failed).toBeVisible({ timeout: ANALYSED_MILLISECONDS });
  await expect(page.getByText("cannot be read as a photo")).toBeVisible();
  await look(page, "parts-failed");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("1 photo analysed again.")).toBeVisible();
  await expect(failed).toBeVisible({ timeout: ANALYSED_MILLISECONDS });
  await expectPhotos(page, scene.photos);

  // A range, by keys alone; hidden, and shown again.
  await photos(page).first().focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  await expect(page.getByText("3 selected")).toBeVisible();
  await look(page, "parts-selected");
  await page.getByRole("button", { name: "Hide" }).click();
  await expect(page.getByText(/^3 photos hidden/)).toBeVisible();
  await expect(hidden(page)).toHaveCount(3);
  await page.getByLabel("Which photos").selectOption("Hidden");
  await expectPhotos(page, 3);
  await photos(page)
    .first()
    .click({ modifiers: ["ControlOrMeta"] });
  await photos(page)
    .nth(2)
    .click({ modifiers: ["Shift"] });
  await page.getByRole("button", { name: "Show to all" }).click();
  await expect(page.getByText("None of the photos is like that.")).toBeVisible();
  await page.getByLabel("Which photos").selectOption("All photos");
  await expectPhotos(page, scene.photos);

  // Who is in a photo: not them after all, and them after all.
  const view = page.getByRole("dialog");
  const ring = view.getByRole("button", { name: new RegExp(`: ${GUEST}$`) });
  await photos(page).first().click();
  await expect(view.getByText(/^(\d+ faces?|No face was) found\.$/)).toBeVisible();
  for (let left = scene.photos; left && !(await ring.count()); left -= 1) {
    await page.keyboard.press("ArrowRight");
    await expect(view.getByText(/^(\d+ faces?|No face was) found\.$/)).toBeVisible();
  }
  await expect(ring).toBeVisible();
  await look(page, "parts-photo");
  await ring.click();
  await view.getByRole("button", { name: "Not them" }).click();
  await expect(view.getByText(`${GUEST} does not have this photo any more.`)).toBeVisible();
  await expect(ring).toBeHidden();
  await view.getByRole("button", { name: "Undo" }).click();
  await expect(ring).toBeVisible();
  await view.getByRole("button", { name: "Not them" }).click();
  await expect(ring).toBeHidden();
  await view.getByRole("button", { name: "Add a guest" }).click();
  await page.getByRole("searchbox", { name: "Find by name" }).fill("zoe");
  await look(page, "parts-pick");
  await page.getByRole("button", { name: new RegExp(GUEST) }).click();
  await expect(ring).toBeVisible();
  await view.getByRole("button", { name: "Use as cover" }).click();
  await expect(view.getByText("This is the cover")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(view).toBeHidden();

  await part(page, "People");
  const thisIs = page.getByRole("button", { name: "This is …" }).first();
  await expect(thisIs).toBeVisible({ timeout: ANALYSED_MILLISECONDS });
  await look(page, "parts-people");
  await thisIs.click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: new RegExp(GUEST) })
    .click();
  await expect(page.getByText(new RegExp(`^${GUEST} has \\d+ photos? more now\\.$`))).toBeVisible();

  await part(page, "Guests");
  await expect(page.getByRole("row", { name: new RegExp(GUEST) })).toBeVisible();
  await look(page, "parts-guests");

  await part(page, "Settings");
  await page.getByRole("radio", { name: /^Only sure/ }).check();
  await expect(page.getByText(/would go to|No photo would move/).first()).toBeVisible();
  await look(page, "parts-settings");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.getByText("The photos are looked through again.")).toBeVisible();
  await page.getByLabel("Colour").fill("#ffee00");
  await page.getByLabel("Your words to the consent").fill("The film crew sees them, too.");
  await page.getByLabel("Name", { exact: true }).fill("");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Give the event a name.")).toBeVisible();
  await page.getByLabel("Name", { exact: true }).fill("The Ball");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
  await expect(page.getByRole("heading", { name: "The Ball" })).toBeVisible();

  await page.evaluate(() => localStorage.setItem("findme.language", "fr"));
  await page.reload();
  await expect(page.getByRole("heading", { name: "The Ball" })).toBeVisible();
  await expect(page.getByText("À quel point faut-il être sûr ?")).toBeVisible();
  await look(page, "parts-settings-french");
  await page.evaluate(() => localStorage.setItem("findme.language", "en"));

  // What guests see of it: the cover, the colour as far as it can be read, and the words.
  await page.goto(`/e/${scene.code}`);
  const cover = page.locator(".cover img");
  await expect(cover).toHaveJSProperty("complete", true);
  expect(await cover.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await look(page, "landing-cover");
  await page.getByRole("button", { name: "Find my photos" }).click();
  await expect(page.getByText("The film crew sees them, too.")).toBeVisible();
  await look(page, "consent-words");

  await page.goto(`${EVENT}/guests`);
  await page.getByRole("button", { name: `Remove ${GUEST}` }).click();
  await look(page, "parts-remove");
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("heading", { name: "Nobody has joined yet" })).toBeVisible();
  expect((await guests.get("/api/me")).status()).toBe(401);

  await part(page, "Photos");
  await photos(page)
    .first()
    .click({ modifiers: ["ControlOrMeta"] });
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("1 photo deleted.")).toBeVisible();
  await expectPhotos(page, scene.photos - 1);

  await part(page, "Settings");
  await page.getByRole("button", { name: "Delete the event" }).click();
  const sure = page.getByRole("dialog").getByRole("button", { name: "Delete the event" });
  await expect(sure).toBeDisabled();
  await page.getByLabel(/^Type .* to delete it$/).fill(scene.code.toLowerCase());
  await look(page, "parts-delete");
  await sure.click();
  await expect(page.getByText("The event is deleted.")).toBeVisible();
  await expect(page).toHaveURL(/\/studio$/);
});
