import { join } from "node:path";
import { expect, test, type Browser, type BrowserContext, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { look } from "./look.ts";
import { upload } from "./photographer.ts";
import { scene } from "./scene.ts";

test.use({ viewport: { width: 1440, height: 900 }, hasTouch: false });
refuseComplaints(test, /status of (401|404)|net::ERR_/);

const EVENT = `/studio/events/${scene.event?.id}`;
/** A wall looks every four seconds; the machine may be busy. */
const WITHIN_MILLISECONDS = 40_000;
/** A photo that a whole analysis is tried with. */
const ANALYSED_MILLISECONDS = 150_000;

async function signIn(
  page: Page,
  next: string,
  person: { username: string; password: string },
): Promise<void> {
  await page.goto(`/studio/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Name or e-mail address").fill(person.username);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`**${next}**`);
}

/** A browser of somebody else's. */
async function elsewhere(browser: Browser, keeps: boolean): Promise<BrowserContext> {
  return browser.newContext({
    baseURL: scene.url,
    locale: "en-GB",
    viewport: { width: 1280, height: 720 },
    serviceWorkers: keeps ? "allow" : "block",
  });
}

test("what is shared is printed, and a wall shows it until it is taken down", async ({
  page,
  browser,
  request,
}) => {
  await signIn(page, EVENT, scene.photographer);
  await page.getByRole("button", { name: "Share" }).click();
  const sheet = page.getByRole("dialog");
  await expect(sheet.getByRole("img", { name: /QR code/ })).toBeVisible();
  // Whoever came by this computer's own name is told that no phone gets here.
  await expect(sheet.getByText("Phones cannot open this address")).toBeVisible();
  await look(page, "share-link");
  for (const kind of ["PNG", "SVG"]) {
    const file = page.waitForEvent("download");
    await sheet.getByRole("button", { name: kind }).click();
    await (await file).saveAs(join(scene.saved, `code.${kind.toLowerCase()}`));
  }

  await sheet.getByRole("button", { name: "Print" }).click();
  for (const [name, label] of [
    ["poster", "Poster, A4"],
    ["cards", /^Table cards/],
    ["smallCards", /^Small cards/],
  ] as const) {
    await sheet.getByLabel(label).check();
    await expect(sheet.locator("canvas")).toBeVisible();
    await look(page, `share-${name}`);
    const file = page.waitForEvent("download");
    await sheet.getByRole("button", { name: "Download the PDF" }).click();
    await (await file).saveAs(join(scene.saved, `${name}.pdf`));
  }
  await sheet.getByLabel("Français").check();
  await sheet.getByLabel("Poster, A4").check();
  const french = page.waitForEvent("download");
  await sheet.getByRole("button", { name: "Download the PDF" }).click();
  await (await french).saveAs(join(scene.saved, "french.pdf"));

  await sheet.getByRole("button", { name: "Wall" }).click();
  await sheet.getByRole("button", { name: "Make a link" }).click();
  const open = sheet.getByRole("link", { name: "Open" });
  await expect(open).toBeVisible();
  await look(page, "share-wall");
  const path = (await open.getAttribute("href")) ?? "";

  const context = await elsewhere(browser, false);
  const wall = await context.newPage();
  await wall.goto(path);
  const slide = wall.locator("[data-photo]");
  await expect(slide.last()).toHaveJSProperty("complete", true);
  await expect(wall.getByRole("heading", { name: scene.event.name })).toBeVisible();
  await look(wall, "wall");

  // A photo that comes in is shown soon: one that none of all before is.
  const before = new Set<string>();
  await expect
    .poll(async () => (await shownPhotos(wall)).forEach((id) => before.add(id)) ?? before.size, {
      timeout: WITHIN_MILLISECONDS,
    })
    .toBe(scene.photos);
  await upload(request, scene.late);
  await expect
    .poll(async () => [...(await shownPhotos(wall))].filter((id) => !before.has(id)).length, {
      timeout: WITHIN_MILLISECONDS,
    })
    .toBe(1);

  // Without a network it goes on with what it has.
  await context.setOffline(true);
  await expect(wall.getByText(/^No connection/)).toBeVisible({ timeout: WITHIN_MILLISECONDS });
  const shown = await slide.last().getAttribute("data-photo");
  await wall.keyboard.press("ArrowRight");
  await expect(slide.last()).not.toHaveAttribute("data-photo", shown ?? "");
  await look(wall, "wall-offline");
  await context.setOffline(false);
  await expect(wall.getByText(/^No connection/)).toBeHidden({ timeout: WITHIN_MILLISECONDS });

  await sheet.getByRole("button", { name: "Take down" }).click();
  await expect(wall.getByRole("heading", { name: "This wall was taken down" })).toBeVisible({
    timeout: WITHIN_MILLISECONDS,
  });
  await expect(slide).toHaveCount(0);
  await look(wall, "wall-gone");
  await context.close();
});

/** Go through the wall's photos once; return their ids. */
async function shownPhotos(wall: Page): Promise<Set<string>> {
  const found = new Set<string>();
  for (let step = 0; step <= scene.photos; step += 1) {
    const id = await wall.locator("[data-photo]").last().getAttribute("data-photo");
    if (id) found.add(id);
    await wall.keyboard.press("ArrowRight");
    await expect(wall.locator("[data-photo]")).toHaveCount(1);
  }
  return found;
}

test("an admin sees what is stuck, and what was done", async ({ page, request }) => {
  await signIn(page, "/admin", scene.admin);
  await expect(page.getByText("1 message was given up")).toBeVisible();
  await look(page, "admin-situation");
  await page.getByRole("link", { name: "Look" }).click();
  await expect(page.getByText("It was written for this test.")).toBeVisible();
  await page.getByRole("button", { name: "Show" }).click();
  await expect(page.getByRole("dialog").getByText("photo_id")).toBeVisible();
  await page.keyboard.press("Escape");
  await look(page, "admin-letters");
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(page.getByText("None.")).toBeVisible();
  const parts = page.getByRole("navigation");
  await parts.getByRole("link", { name: "Situation" }).click();
  await expect(page.getByText("Nothing is stuck")).toBeVisible();

  await parts.getByRole("link", { name: "People" }).click();
  await page.getByRole("button", { name: "Add somebody" }).click();
  const sheet = page.getByRole("dialog");
  const name = `second-photographer-${scene.event.id}`;
  await sheet.getByLabel("Name").fill(name);
  await sheet.getByLabel("E-mail address").fill(`${name}@example.org`);
  await sheet.getByLabel("First password").fill(scene.admin.password);
  await look(page, "admin-add");
  await sheet.getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("cell", { name, exact: true })).toBeVisible();
  await look(page, "admin-people");

  for (const [part, text] of [
    ["Events", scene.event.name],
    ["Audit", "account.created"],
    ["Cost and cache", /^None: faces are found/],
    ["Your logins", "this one"],
  ] as const) {
    await parts.getByRole("link", { name: part }).click();
    await expect(page.getByText(text).first()).toBeVisible();
    await look(page, `admin-${part.toLowerCase().replaceAll(" ", "-")}`);
  }
  await upload(request, scene.troubled.photo, scene.troubled);
  await parts.getByRole("link", { name: "Failed photos" }).click();
  await expect(page.getByRole("heading", { name: "Failed photos" })).toBeVisible();
  const failed = page.getByRole("row").filter({ hasText: scene.troubled.event.name });
  await expect(async () => {
    await page.reload();
    await expect(failed).toBeVisible({ timeout: 3000 });
  }).toPass({ timeout: ANALYSED_MILLISECONDS });
  await expect(failed).toContainText("cannot be read as a photo");
  await look(page, "admin-failed-photos");
  await failed.getByRole("button", { name: "Analyse again" }).click();
  await expect(page.getByText("1 photo is analysed again.")).toBeVisible();

  await page.getByRole("button", { name: "Français" }).click();
  await expect(page.getByRole("heading", { name: "Photos en échec" })).toBeVisible();
});

test("a guest's photos are there without a network, until they leave", async ({ browser }) => {
  const context = await elsewhere(browser, true);
  const consent = await context.request.get("/api/consent?language=en");
  const { version } = (await consent.json()) as { version: string };
  const joined = await context.request.post("/api/join", {
    data: { event_code: scene.code, name: "Ada", consent_version: version },
  });
  expect(joined.ok()).toBe(true);
  const page = await context.newPage();
  await page.goto("/?opened");
  await page.getByRole("link", { name: scene.event.name }).click();
  await page.getByRole("button", { name: /^All/ }).click();
  const picture = page.locator("[data-photo] img").first();
  await expect(picture).toBeVisible();
  await expect.poll(() => missingPictures(page), { timeout: WITHIN_MILLISECONDS }).toBe(0);
  expect(await keptPictures(page)).toBeGreaterThan(2);
  // What nobody has opened yet is there, too.
  await expect.poll(() => hasViewer(page), { timeout: WITHIN_MILLISECONDS }).toBe(true);
  await expect.poll(() => missingCode(page), { timeout: WITHIN_MILLISECONDS }).toBe(0);

  await context.setOffline(true);
  await page.goto("/?app");
  await page.waitForURL(`**/e/${scene.code}`);
  await page.getByRole("button", { name: /^All/ }).click();
  await expect(picture).toHaveJSProperty("complete", true);
  expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(
    0,
  );

  await page.setViewportSize({ width: 360, height: 740 });
  await expect(page.getByText("Connecting again")).toBeVisible();
  await look(page, "yours-offline");
  await picture.click();
  await expect(page.getByRole("dialog").getByRole("button", { name: "Download" })).toBeVisible();
  await page.keyboard.press("Escape");

  await context.setOffline(false);
  const another = await context.newPage();
  await another.goto(`/e/${scene.code}`);
  await another.getByRole("button", { name: /^All/ }).click();
  await expect(another.locator("[data-photo] img").first()).toBeVisible();
  const door = await context.newPage();
  await door.goto("/");
  await expect(door.getByRole("link", { name: scene.event.name })).toBeVisible();
  await page.getByRole("link", { name: "You and your data" }).click();
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page.getByRole("button", { name: "Find my photos" })).toBeVisible();
  expect(await keptPictures(page)).toBe(0);
  // What is open of theirs in other tabs is nobody's any more.
  await expect(another.getByRole("button", { name: "Find my photos" })).toBeVisible();
  await expect(another.locator("[data-photo]")).toHaveCount(0);
  await expect(door.getByRole("link", { name: scene.event.name })).toHaveCount(0);
  await context.close();
});

/** How many pictures the browser keeps for when there is no network. */
function keptPictures(page: Page): Promise<number> {
  return page.evaluate(async () => {
    if (!(await caches.has("findme-mine-1"))) return 0;
    const keys = await (await caches.open("findme-mine-1")).keys();
    return keys.filter(({ url }) => url.includes("/api/media/")).length;
  });
}

/** How many of the pictures on the page are not there yet, or not kept. */
function missingPictures(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const pictures = [...document.querySelectorAll<HTMLImageElement>("[data-photo] img")];
    const kept = await Promise.all(
      pictures.map(
        async ({ src, naturalWidth }) =>
          naturalWidth > 0 && (await caches.match(src, { ignoreVary: true })) !== undefined,
      ),
    );
    return kept.length ? kept.filter((isKept) => !isKept).length : 1;
  });
}

/** Whether what shows one photo was loaded. */
function hasViewer(page: Page): Promise<boolean> {
  return page.evaluate(() =>
    performance.getEntriesByType("resource").some(({ name }) => /\/viewer\.[^/]+\.css/.test(name)),
  );
}

/** How many files of the pages' code are not kept yet, of those that were loaded. */
function missingCode(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    const code = new Set(loaded.filter((name) => name.includes("/_app/immutable/")));
    for (const { url } of await (await caches.open("findme-code-1")).keys()) code.delete(url);
    return code.size;
  });
}
