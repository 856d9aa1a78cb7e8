import { expect, test, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { look } from "./look.ts";
import { scene } from "./scene.ts";

test.use({ viewport: { width: 1440, height: 900 }, hasTouch: false });
refuseComplaints(test, /status of (400|401|404)/, scene.provider);

const MAILED_MILLISECONDS = 60_000;
const CHOSEN = "Another-horse-8";
const LAST = "A-third-horse-9";

const events = (page: Page) => page.getByRole("navigation", { name: "Events" });

async function signIn(page: Page, password: string): Promise<void> {
  await page.goto("/studio/login");
  await page.getByLabel("Name or e-mail address").fill(scene.photographer.username);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

test("by the organisation's login, to where one wanted to go", async ({ page }) => {
  const wanted = `/studio/events/${scene.event.id}/photos`;
  await page.goto(wanted);
  await page.waitForURL("**/studio/login?**");
  const way = page.getByRole("link", { name: "Sign in with your organisation" });
  await expect(way).toBeVisible();
  await look(page, "login-organisation");
  await way.click();
  await page.waitForURL(`**${wanted}`);
  await expect(events(page)).toBeVisible();
});

test("a forgotten password is chosen anew by the link of a mail, once", async ({
  page,
  request,
}) => {
  await page.goto("/studio/login");
  await page.getByRole("button", { name: "I forgot my password" }).click();
  await page.getByLabel("E-mail address").fill(scene.address);
  await look(page, "login-forgotten");
  await page.getByRole("button", { name: "Send the link" }).click();
  await expect(page.getByText(/a mail with a link is on its way/)).toBeVisible();
  const mailed = async (): Promise<string> => (await request.post(scene.mailedLink)).text();
  await expect.poll(mailed, { timeout: MAILED_MILLISECONDS }).not.toBe("");
  const link = await mailed();

  await page.goto(link);
  await page.getByLabel("New password").fill(CHOSEN);
  await look(page, "password-reset");
  await page.getByRole("button", { name: "Save the password" }).click();
  await expect(page.getByRole("button", { name: "Save the password" })).toBeHidden();
  await signIn(page, scene.photographer.password);
  await expect(page.getByRole("alert")).toHaveText(/not right/);
  await signIn(page, CHOSEN);
  await expect(events(page)).toBeVisible();

  await page.goto("about:blank");
  await page.goto(link);
  await page.getByLabel("New password").fill(LAST);
  await page.getByRole("button", { name: "Save the password" }).click();
  await expect(page.getByRole("status")).not.toHaveText("All your devices are logged out with it.");
  await signIn(page, CHOSEN);
  await expect(events(page)).toBeVisible();
});

test("with another password all other devices are signed out", async ({ page, browser }) => {
  await signIn(page, CHOSEN);
  await expect(events(page)).toBeVisible();
  const elsewhere = await browser.newContext({ baseURL: scene.url, locale: "en-GB" });
  const phone = await elsewhere.newPage();
  await signIn(phone, CHOSEN);
  await expect(events(phone)).toBeVisible();

  await page.goto("/studio/account");
  const form = page.locator("form");
  await form.getByLabel("Password as it is").fill("not this one");
  await form.getByLabel("New password").fill(LAST);
  await form.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByRole("alert")).toHaveText("The present password is not right.");
  await look(page, "account-wrong");
  await form.getByLabel("Password as it is").fill(CHOSEN);
  await form.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("The password is changed.")).toBeVisible();
  await page.reload();
  await expect(events(page)).toBeVisible();
  await phone.goto("/studio");
  await phone.waitForURL("**/studio/login**");
  await elsewhere.close();
});
