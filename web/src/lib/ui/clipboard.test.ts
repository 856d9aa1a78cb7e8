// @vitest-environment happy-dom
import { afterEach, expect, it, vi } from "vitest";
import { copyText } from "./clipboard.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

/** What a browser without a clipboard copies: the field that is selected. */
function copying(isAllowed: boolean): string[] {
  const copied: string[] = [];
  vi.stubGlobal("navigator", {});
  document.execCommand = () => {
    const field = document.querySelector("textarea");
    if (isAllowed && field) copied.push(field.value);
    return isAllowed;
  };
  return copied;
}

it("copies by plain HTTP, too, and leaves the page as it was", async () => {
  const copied = copying(true);
  document.body.innerHTML = "<dialog open><button>Copy</button></dialog>";
  const button = document.querySelector("button");
  button?.focus();
  await copyText("http://findme.test/e/GALA26");
  expect(copied).toEqual(["http://findme.test/e/GALA26"]);
  expect(document.activeElement).toBe(button);
  expect(document.querySelector("textarea")).toBeNull();
});

it("says so where nothing may be copied", async () => {
  copying(false);
  await expect(copyText("text")).rejects.toThrow("nothing was copied");
});
