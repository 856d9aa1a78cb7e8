/** An event's own colour, made readable: organisers choose any, and guests read it in the sun. */

type Rgb = readonly [number, number, number];

export interface Accent {
  accent: string;
  /** What is written on it. */
  onAccent: string;
}

/** WCAG 2.2 AA, for text. */
export const READABLE = 4.5;
/** The grounds of the two looks, as in app.css. */
const GROUNDS = { light: "#fbfaf8", dark: "#121314" } as const;
const STEP = 0.04;

/** Return the colour, or the nearest of its kind that can be read on the page; undefined for none. */
export function accentOf(colour: string, look: keyof typeof GROUNDS): Accent | undefined {
  const chosen = parse(colour);
  const ground = parse(GROUNDS[look]);
  if (!chosen || !ground) return undefined;
  const towards: Rgb = look === "light" ? [0, 0, 0] : [255, 255, 255];
  let part = 0;
  let accent = chosen;
  while (contrast(accent, ground) < READABLE && part < 1) {
    part += STEP;
    accent = mix(chosen, towards, part);
  }
  const black = contrast(accent, [0, 0, 0]);
  const white = contrast(accent, [255, 255, 255]);
  return { accent: hex(accent), onAccent: white >= black ? "#ffffff" : "#000000" };
}

/** How much two colours differ, 1 to 21. Source: WCAG 2.2, relative luminance. */
export function contrastOf(one: string, other: string): number {
  const [a, b] = [parse(one), parse(other)];
  return a && b ? contrast(a, b) : 1;
}

function contrast(one: Rgb, other: Rgb): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function mix(one: Rgb, other: Rgb, part: number): Rgb {
  return one.map((value, at) =>
    Math.round(value + ((other[at] ?? 0) - value) * part),
  ) as unknown as Rgb;
}

function parse(colour: string): Rgb | undefined {
  const found = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  return found ? (found.slice(1).map((pair) => parseInt(pair, 16)) as unknown as Rgb) : undefined;
}

function hex(colour: Rgb): string {
  return `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
