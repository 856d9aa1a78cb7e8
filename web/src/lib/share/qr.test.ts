import { encode } from "uqr";
import { expect, test } from "vitest";
import { qrOf, svgOf } from "./qr.ts";

const URL = "https://photos.example.org/e/GALA24";

test("its bars are the dark modules, each once", () => {
  const { data, size } = encode(URL, { ecc: "Q", border: 0 });
  const drawn = data.map((row) => row.map(() => false));
  for (const { x, y, width } of qrOf(URL).bars)
    for (let module = x; module < x + width; module += 1) drawn[y]![module] = true;
  expect(qrOf(URL).size).toBe(size);
  expect(drawn).toEqual(data);
});

test("as a drawing it has the border that scanners need", async () => {
  const svg = await svgOf(URL).text();
  const side = qrOf(URL).size + 8;
  expect(svg).toContain(`viewBox="0 0 ${side} ${side}"`);
  expect(svg).toContain("M4 4h7v1h-7z");
});
