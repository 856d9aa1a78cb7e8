import { expect, test, type Page } from "@playwright/test";
import { refuseComplaints } from "./complaints.ts";
import { documentsOf } from "./documents.ts";
import { scene } from "./scene.ts";

// The page's own answer, and the code of a release that is gone.
refuseComplaints(test, /status of 404|Failed to fetch dynamically imported module/);

const missing = (page: Page) => page.getByRole("heading", { name: "There is no such page" });

for (const path of ["/nowhere/at/all", "/studio/nowhere", "/e/GALA2026/nowhere"]) {
  test(`${path} is loaded once, and once more when one asks for it again`, async ({ page }) => {
    const documents = documentsOf(page);
    await page.goto(path, { waitUntil: "networkidle" });
    await expect(missing(page)).toBeVisible();
    await page.reload({ waitUntil: "networkidle" });
    await expect(missing(page)).toBeVisible();
    expect(documents).toEqual([path, path]);
  });
}

test("a page of the release before goes on with the new one, once", async ({ page, request }) => {
  await page.goto("/nowhere", { waitUntil: "networkidle" });
  const documents = documentsOf(page);
  await request.post(scene.nextRelease);
  await page.getByRole("link").click();
  await expect(page.getByLabel("Event code")).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("data-release", "next");
  await page.waitForLoadState("networkidle");
  expect(documents).toEqual(["/"]);

  await page.goto("/nowhere", { waitUntil: "networkidle" });
  await expect(missing(page)).toBeVisible();
  expect(documents).toEqual(["/", "/nowhere"]);
});
