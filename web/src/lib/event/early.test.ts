import { afterEach, expect, it, vi } from "vitest";
import { early } from "./early.ts";

const LOOK_UP = "/api/look-up-event";
const request = (path = LOOK_UP) => new Request(`http://here${path}`, { method: "POST" });
const fetched = new Response("fetched");
const asked = new Response("asked before");

function askedFor(code: string): void {
  globalThis.findmeEarly = { path: LOOK_UP, code, answer: Promise.resolve(asked) };
}

afterEach(() => {
  globalThis.findmeEarly = undefined;
  vi.unstubAllGlobals();
});

it("takes the answer that is on its way, once", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(fetched));
  askedFor("GALA 26");
  expect(await early("GALA 26")(request())).toBe(asked);
  expect(await early("GALA 26")(request())).toBe(fetched);
});

it.each([
  ["another event", "BALL26", LOOK_UP],
  ["another question", "GALA26", "/api/user/events"],
])("asks for %s by itself", async (_, code, path) => {
  vi.stubGlobal("fetch", () => Promise.resolve(fetched));
  askedFor("GALA26");
  expect(await early(code)(request(path))).toBe(fetched);
});

it("asks where nothing was asked before, and on pages of no event", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(fetched));
  expect(await early("GALA26")(request())).toBe(fetched);
  askedFor("GALA26");
  expect(await early(undefined)(request())).toBe(fetched);
});
