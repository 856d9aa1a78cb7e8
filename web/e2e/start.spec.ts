import { expect, test } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { look } from "./look.ts";
import { scene } from "./scene.ts";

refuseComplaints(test, /status of 40[03]/);

test("from nothing to the code on the screen", async ({ page }) => {
  // As a browser that cannot tell where it is: the server knows no such zone.
  await page.addInitScript(() => {
    const resolved = Intl.DateTimeFormat.prototype.resolvedOptions;
    Intl.DateTimeFormat.prototype.resolvedOptions = function (this: Intl.DateTimeFormat) {
      return { ...resolved.call(this), timeZone: "Etc/Unknown" };
    };
  });
  await page.goto("/start");
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByLabel("Setup token")).toBeFocused();
  await look(page, "start-missing");
  await page.getByLabel("Setup token").fill("0".repeat(32));
  await page.getByLabel("Your name").fill("boss");
  await page.getByLabel("E-mail address").fill("boss@example.org");
  await page.getByLabel("Password").fill(scene.admin.password);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("This is not the token.")).toBeVisible();
  await page.getByLabel("Setup token").fill(scene.setupToken);
  await page.keyboard.press("Enter");

  await expect(page.getByRole("heading", { name: "Your first event" })).toBeVisible();
  await look(page, "start-event");
  await page.getByLabel("Name of the event").fill("Gala of the Harbour");
  await page.getByLabel("Date").fill("2030-06-01");
  await page.getByRole("button", { name: "Create the event" }).click();
  await expect(page.getByRole("img", { name: /QR code/ })).toBeVisible();
  await expect(page.getByText("Phones cannot open this address yet")).toBeVisible();
  await look(page, "start-done");
  await page.getByRole("link", { name: "To the admin's pages" }).click();
  await expect(page.getByText("Nothing is stuck")).toBeVisible();
  await page.getByRole("navigation").getByRole("link", { name: "Failed photos" }).click();
  await expect(page.getByRole("heading", { name: "No photo has failed" })).toBeVisible();
  await look(page, "admin-failed-photos-none");

  await page.goto("/start");
  await expect(page.getByRole("heading", { name: "FindMe is set up already" })).toBeVisible();
  await look(page, "start-closed");
});
