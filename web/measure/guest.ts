/** From the code to one's first photo at a person's speed; then photos that come in. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Browser, Page } from "@playwright/test";
import { PHONE } from "../e2e/launch.ts";
import { median, scene } from "./scene.ts";

/** How long somebody looks at what they see before they go on, in milliseconds. */
const READING = { landing: 2500, consent: 7000, camera: 3500, selfie: 1500 };
const MILLISECONDS_A_KEY = 180;
const PATIENCE = { timeout: 120_000 };

export async function measureGuest(browser: Browser): Promise<Record<string, number>> {
  const context = await browser.newContext({ ...PHONE, baseURL: scene.url });
  const page = await context.newPage();
  const began = performance.now();
  await findPhotos(page);
  const found = performance.now() - began;
  const token = await photographersToken(page);
  const arrivals = [];
  for (const path of scene.late) arrivals.push(await arrival(page, path, token));
  await context.close();
  return {
    qr_to_first_photo_s: Number((found / 1000).toFixed(2)),
    disk_to_page_s: Number((median(arrivals) / 1000).toFixed(2)),
  };
}

async function findPhotos(page: Page): Promise<void> {
  await page.goto(`/e/${scene.code}`);
  await page.getByRole("button", { name: "Find my photos" }).waitFor();
  await page.waitForTimeout(READING.landing);
  await page.getByRole("button", { name: "Find my photos" }).click();
  await page.getByLabel("Your name").pressSequentially("Alexandra", { delay: MILLISECONDS_A_KEY });
  await page.waitForTimeout(READING.consent);
  await page.getByLabel("I agree to this").check();
  await page.getByRole("button", { name: "Take a selfie" }).click();
  const shutter = page.getByRole("button", { name: "Take the picture" });
  await shutter.waitFor();
  await page.waitForTimeout(READING.camera);
  await shutter.click(PATIENCE);
  await page.getByText("That is a good one").waitFor(PATIENCE);
  await page.waitForTimeout(READING.selfie);
  await page.getByRole("button", { name: "Find my photos" }).click();
  await page.waitForFunction(hasPicture, undefined, { polling: "raf", ...PATIENCE });
}

/** In the page: whether a photo of the grid is drawn. */
function hasPicture(): boolean {
  const pictures = [...document.querySelectorAll<HTMLImageElement>("[data-photo] img")];
  return pictures.some(({ complete, naturalWidth }) => complete && naturalWidth > 0);
}

/** Milliseconds from a file on the photographer's disk to the photo in the guest's open page. */
async function arrival(page: Page, path: string, token: string): Promise<number> {
  const before = await shownPhotos(page);
  const began = performance.now();
  const buffer = await readFile(path);
  const answer = await page
    .context()
    .request.post(`/api/photographer/events/${scene.event}/upload-photos`, {
      headers: { Authorization: `Bearer ${token}` },
      multipart: { files: { name: basename(path), mimeType: "image/jpeg", buffer } },
    });
  if (!answer.ok()) throw new Error(`upload: ${answer.status()} ${await answer.text()}`);
  await page.waitForFunction(
    (known) =>
      [...document.querySelectorAll<HTMLElement>("[data-photo]")].some((photo) => {
        const picture = photo.querySelector("img");
        const isNew = !known.includes(photo.dataset["photo"] ?? "");
        return isNew && picture !== null && picture.complete && picture.naturalWidth > 0;
      }),
    before,
    { polling: "raf", ...PATIENCE },
  );
  return performance.now() - began;
}

function shownPhotos(page: Page): Promise<string[]> {
  return page
    .locator("[data-photo]")
    .evaluateAll((photos) => photos.map((photo) => (photo as HTMLElement).dataset["photo"] ?? ""));
}

async function photographersToken(page: Page): Promise<string> {
  // Not with the page's cookies: they are the guest's.
  const answer = await fetch(`${scene.url}/api/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(scene.photographer),
  });
  if (!answer.ok) throw new Error(`login: ${answer.status}, ${page.url()}`);
  return ((await answer.json()) as { access_token: string }).access_token;
}
