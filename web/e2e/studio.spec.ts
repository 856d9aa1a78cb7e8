import { expect, test, type CDPSession, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { look } from "./look.ts";
import { scene } from "./scene.ts";

test.use({ viewport: { width: 1440, height: 900 }, hasTouch: false });
refuseComplaints(test, /status of (400|401|404|502|503)|net::ERR_/);

const NAME = "Gala of the Harbour";
/** So slow that one can do something in the middle of it. */
const BYTES_A_SECOND = 2_500_000;
/** Until the server is there again, on a busy machine. */
const RESTART_MILLISECONDS = 90_000;

/** An account that nobody has. */
const FOREIGN = -1;

async function signIn(page: Page): Promise<void> {
  await page.getByLabel("Name or e-mail address").fill(scene.photographer.username);
  await page.getByLabel("Password", { exact: true }).fill(scene.photographer.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("navigation", { name: "Events" })).toBeVisible();
}

async function connect(network: CDPSession, isThere: boolean): Promise<void> {
  await network.send("Network.emulateNetworkConditions", {
    offline: !isThere,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: BYTES_A_SECOND,
  });
}

const tray = (page: Page) => page.getByRole("region", { name: "Upload" });

/** So many of the files are in the event, or more. */
async function expectSent(page: Page, atLeast: number, timeout = 30_000): Promise<void> {
  const done = async (): Promise<number> => {
    const said = (await tray(page).getByRole("status").textContent()) ?? "";
    return Number(/^\d+/.exec(said)?.[0] ?? 0);
  };
  await expect.poll(done, { timeout }).toBeGreaterThanOrEqual(atLeast);
}

/** What the browser keeps of uploads, by account; `foreign` is kept as another one's before. */
async function keptOf(page: Page, foreign?: number): Promise<number[]> {
  return page.evaluate(async (foreign) => {
    const answer = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error as Error);
      });
    const database = await answer(indexedDB.open("findme.uploads"));
    const accounts: number[] = [];
    for (const name of ["items", "roots"]) {
      const store = database.transaction(name, "readwrite").objectStore(name);
      if (foreign !== undefined) await answer(store.put({ id: 1, accountId: foreign }));
      const kept = (await answer(store.getAll())) as { accountId: number }[];
      accounts.push(...kept.map(({ accountId }) => accountId));
    }
    database.close();
    return accounts;
  }, foreign);
}

test("from signing in to fifty photos, through all that breaks", async ({ page, request }) => {
  page.on("dialog", (dialog) => dialog.accept());
  await page.goto("/studio");
  await expect(page.getByRole("heading", { name: "Studio" })).toBeVisible();
  await look(page, "studio-login");
  await page.getByLabel("Name or e-mail address").fill(scene.photographer.username);
  await page.getByLabel("Password", { exact: true }).fill("not it");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText(/not right/);
  await signIn(page);
  await look(page, "studio-events");

  await page.getByRole("link", { name: "New event" }).click();
  await page.getByRole("button", { name: "Create the event" }).click();
  await expect(page.getByText("Give the event a name.")).toBeVisible();
  await expect(page.getByLabel("Name", { exact: true })).toBeFocused();
  await page.keyboard.type(NAME);
  await expect(page.getByLabel("Code", { exact: true })).toHaveValue(/^GALA\w{4}$/);
  await look(page, "studio-new");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: NAME })).toBeVisible();
  await expect(page.getByRole("link", { name: "Upload" })).toHaveAttribute("aria-current", "page");
  await look(page, "studio-upload");

  // A key for a camera or a folder is shown once, and revoked.
  await page.getByLabel("Upload key", { exact: true }).fill("Camera of Zoë");
  await page.getByRole("button", { name: "Make a key" }).click();
  await expect(page.getByText(/--key fmk_/)).toBeVisible();
  await expect(page.getByText("Cameras cannot send by FTP here yet.")).toBeVisible();
  await look(page, "studio-key");
  await page.getByRole("button", { name: "Revoke the key of Camera of Zoë" }).click();
  await look(page, "studio-revoke");
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText(/--key KEY/)).toBeVisible();

  await page.getByRole("button", { name: "Share" }).click();
  await expect(page.getByRole("img", { name: /QR code/ })).toBeVisible();
  await look(page, "studio-share");
  await page.keyboard.press("Escape");

  // The network goes away in the middle, and comes back.
  const network = await page.context().newCDPSession(page);
  await connect(network, true);
  await page.locator("[data-upload=files]").setInputFiles(scene.files);
  await expectSent(page, 5);
  await look(page, "studio-sending");
  await connect(network, false);
  await expect(tray(page).getByRole("alert")).toHaveText(/The connection broke/);
  await look(page, "studio-cut");
  await connect(network, true);
  await expect(tray(page).getByRole("alert")).toBeHidden();

  // The page is closed, and opened again: the same files are chosen, and it goes on. One is none.
  await expectSent(page, 12);
  await tray(page).getByRole("button", { name: "Pause" }).click();
  await expect(tray(page).getByText("Paused")).toBeVisible();
  await page.waitForFunction(async () => {
    const databases = await indexedDB.databases();
    return databases.some(({ name }) => name === "findme.uploads");
  });
  await page.reload();
  await expect(
    tray(page)
      .getByText(/left from last time/)
      .first(),
  ).toBeVisible();
  await look(page, "studio-left");
  // Somebody else has left something, too: it stays, whatever is closed here.
  expect((await keptOf(page, FOREIGN)).length).toBeGreaterThan(2);
  await page.locator("[data-upload=files]").setInputFiles([...scene.files, scene.nobody]);

  // The server is killed in the middle, and started again.
  await expectSent(page, 20);
  const restarted = request.post(scene.restart, { timeout: RESTART_MILLISECONDS });
  await expect(tray(page).getByRole("alert")).toBeVisible();
  expect((await restarted).ok()).toBe(true);
  await expect(tray(page).getByText(/photos? (is|are) in$/)).toBeVisible({ timeout: 120_000 });
  await expect(page.getByText(`${scene.files.length} received`, { exact: true })).toBeVisible();
  await expect(tray(page).getByText("1 file could not be sent")).toBeVisible();
  await tray(page).getByRole("button", { name: "Show the files" }).first().click();
  await expect(tray(page).getByText("The server does not take this file.")).toBeVisible();
  await look(page, "studio-sent");

  // The same once more: nothing is sent twice.
  await tray(page).getByRole("button", { name: "Done, close this" }).click();
  await expect(tray(page)).toBeHidden();
  await expect.poll(() => keptOf(page)).toEqual([FOREIGN, FOREIGN]);
  await page.locator("[data-upload=files]").setInputFiles(scene.files);
  await expect(tray(page).getByText(/the event had all of them/)).toBeVisible();
  await expect(page.getByText("All photos are done.")).toBeVisible({ timeout: 120_000 });
  await expect(page.getByText(`${scene.files.length} analysed`, { exact: true })).toBeVisible();
  await look(page, "studio-done");

  // By keyboard alone: past the list, along the tabs.
  await page.keyboard.press("Home");
  await page.locator("body").focus();
  await page.getByRole("link", { name: "To the content" }).focus();
  await look(page, "studio-skip");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Share" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Photos", exact: true })).toBeFocused();

  await page.getByRole("link", { name: /Your account/ }).click();
  await page.getByRole("button", { name: "Français" }).click();
  await expect(page.getByRole("heading", { name: "Votre compte" })).toBeVisible();
  await look(page, "studio-account-french");
  await page.getByRole("link", { name: new RegExp(NAME) }).click();
  await page.getByRole("link", { name: "Envoi" }).click();
  await look(page, "studio-upload-french");
  await page.getByRole("link", { name: /Votre compte/ }).click();
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/studio\/login$/);
  await page.goto("/studio");
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

test("five thousand files leave the page usable", async ({ page }) => {
  await page.goto("/studio");
  await signIn(page);
  await page.getByRole("link", { name: new RegExp(NAME) }).click();
  await page.getByRole("link", { name: "Upload" }).click();
  // Nothing of it is to be kept: it is the page that is tried.
  await page.route("**/photos/exists", async (route) => {
    const { sha256 } = route.request().postDataJSON() as { sha256: string[] };
    await route.fulfill({
      json: { existing: sha256.map((one) => ({ sha256: one, photo_id: 1 })) },
    });
  });
  const transfer = await page.evaluateHandle(() => {
    const made = new DataTransfer();
    for (let number = 0; number < 5000; number += 1) {
      made.items.add(new File([`photo ${number}`], `IMG_${number}.JPG`));
    }
    return made;
  });
  await page.dispatchEvent("main", "dragenter", { dataTransfer: transfer });
  await expect(page.getByText(`Let go: they go to ${NAME}`)).toBeVisible();
  await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
  await tray(page).getByRole("button", { name: "Show the files" }).click();
  await expect(tray(page).getByText(/the event had all of them/)).toBeVisible({ timeout: 120_000 });
});
