/** What a page does that it must not: scripts that fail, what the policy forbids, other origins. */
import { expect, type test as Test } from "@playwright/test";
import { scene } from "./scene.ts";

/**
 * Fail tests whose pages complain; `wanted` are answers that a test asks for, `provider` is where
 * people log in, and nothing is fetched from but pages.
 */
export function refuseComplaints(test: typeof Test, wanted: RegExp, provider?: string): void {
  let complaints: string[] = [];

  test.beforeEach(({ page }) => {
    complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !wanted.test(message.text())) {
        complaints.push(message.text());
      }
    });
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      const isTheirs = origin === provider && request.isNavigationRequest();
      if (protocol.startsWith("http") && origin !== scene.url && !isTheirs) {
        complaints.push(request.url());
      }
    });
  });

  test.afterEach(() => {
    expect(complaints).toEqual([]);
  });
}
