import { expect, test } from "vitest";
import { addressOf, readable } from "./address.ts";

test("an address without a host is where the page came from", () => {
  expect(addressOf("/e/GALA", "http://192.168.1.7:8000")).toEqual({
    url: "http://192.168.1.7:8000/e/GALA",
    isLocal: false,
  });
  expect(addressOf("https://photos.example.org/e/GALA", "http://localhost:8000")).toEqual({
    url: "https://photos.example.org/e/GALA",
    isLocal: false,
  });
});

test.each(["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000", "http://a.localhost"])(
  "%s is this computer's alone",
  (origin) => {
    expect(addressOf("/e/GALA", origin).isLocal).toBe(true);
  },
);

test("it is read without its scheme", () => {
  expect(readable("https://photos.example.org/e/GALA")).toBe("photos.example.org/e/GALA");
});
