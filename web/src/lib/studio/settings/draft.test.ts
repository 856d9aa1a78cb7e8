import { describe, expect, it } from "vitest";
import type { EventSettings } from "#lib/api/client.ts";
import { changeOf, draftOf, wrongIn, type Draft } from "./draft.ts";

const TODAY = "2026-11-29";
const saved: Draft = {
  name: "Gala of the Harbour",
  date: "2026-11-28",
  code: "GALA26",
  zone: "Europe/Paris",
  end: "2026-12-28",
  accent: "",
  consent: "",
  selectedOnly: false,
  strip: true,
  duplicates: "",
};

it("is filled with the event's days as who looks has them", () => {
  const settings = {
    name: "Gala",
    date: new Date(2026, 10, 28, 0, 0).toISOString(),
    expires_at: new Date(2026, 11, 28, 23, 59, 59).toISOString(),
    event_code: "GALA26",
    time_zone: null,
    accent: "#B93E14",
    consent_text: null,
    duplicates: null,
  } as EventSettings;
  expect(draftOf(settings)).toMatchObject({
    date: "2026-11-28",
    zone: "",
    end: "2026-12-28",
    accent: "#b93e14",
    consent: "",
    duplicates: "",
  });
});

describe("what is saved", () => {
  it("is nothing where nothing has changed", () => {
    expect(changeOf({ ...saved }, saved)).toEqual({});
  });

  it("is what has changed alone", () => {
    expect(changeOf({ ...saved, name: "Gala", code: " gala 27" }, saved)).toEqual({
      name: "Gala",
      event_code: "GALA27",
    });
  });

  it("takes a field back that was emptied", () => {
    expect(changeOf({ ...saved, zone: "" }, saved)).toEqual({ time_zone: null });
    const before = { ...saved, accent: "#b93e14", consent: "Only for the club." };
    expect(changeOf({ ...before, date: "", accent: "", consent: "" }, before)).toEqual({
      date: null,
      accent: null,
      consent_text: null,
    });
  });
});

describe("what is wrong", () => {
  it.each([
    ["no name", { name: " " }, ["name"]],
    ["an end that has passed", { end: "2026-11-28", date: "" }, ["end"]],
    ["an end before the event", { end: "2026-11-30", date: "2026-12-01" }, ["end"]],
    ["a code that is too short", { code: "GALA" }, ["code"]],
    ["an end of today", { end: TODAY, date: "" }, []],
  ] as const)("is %s", (_, change, wrong) => {
    expect([...wrongIn({ ...saved, ...change }, saved, TODAY)]).toEqual(wrong);
  });

  it("comes in the order of the form", () => {
    const all = { ...saved, name: "", end: "2026-01-01", code: "x" };
    expect([...wrongIn(all, saved, TODAY)]).toEqual(["name", "end", "code"]);
  });

  it("is not what stands as it was", () => {
    const old = { ...saved, code: "OLD", end: "2025-01-01" };
    expect(wrongIn(old, old, TODAY).size).toBe(0);
  });
});
