/**
 * One poster or card, drawn on a canvas: what is seen on the screen is what is printed.
 *
 * Words are drawn by the browser, with the fonts and scripts that it has; the standard fonts of PDF
 * know Western Europe's letters alone. The PDF has the code again as a vector (`pdf.ts`).
 */
import type { PrintFormat } from "./formats.ts";
import { POSTER_WORDS, type PosterLanguage } from "./posterWords.ts";
import { contextOf, type QrCode } from "./qr.ts";

export interface Look {
  name: string;
  /** As the reader writes it; empty where the event has none. */
  date: string;
  code: string;
  /** Without its scheme. */
  address: string;
  accent: string;
  /** What is written on it. */
  onAccent: string;
  language: PosterLanguage;
}

/** A rectangle of the piece, in millimetres. */
export interface Square {
  x: number;
  y: number;
  side: number;
}

const INK = "#1b1a17";
const QUIET = "#5c5850";
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
/** A piece is drawn as if it were so wide, and made as large as it is. */
const DESIGN_WIDTH = 210;

/** Where the code lies on a piece: the same share of each format. */
export function codeSquare({ width, height, id }: PrintFormat): Square {
  const unit = width / DESIGN_WIDTH;
  const side = (id === "poster" ? 104 : 112) * unit;
  return { x: (width - side) / 2, y: id === "poster" ? 104 * unit : height * 0.345, side };
}

/** Draw a piece at so many pixels a millimetre; `pixels` is finite, the canvas gets that size. */
export function drawPiece(
  canvas: HTMLCanvasElement,
  format: PrintFormat,
  look: Look,
  code: QrCode,
  pixels: number,
): void {
  canvas.width = Math.round(format.width * pixels);
  canvas.height = Math.round(format.height * pixels);
  const context = contextOf(canvas);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const unit = format.width / DESIGN_WIDTH;
  context.setTransform(pixels * unit, 0, 0, pixels * unit, 0, 0);
  const height = format.height / unit;
  const square = codeSquare(format);
  const codeAt = { x: square.x / unit, y: square.y / unit, side: square.side / unit };
  const words = POSTER_WORDS[look.language];
  const isPoster = format.id === "poster";

  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillStyle = look.accent;
  context.fillRect(0, 0, DESIGN_WIDTH, isPoster ? 6 : 7);

  // From the top: what it is for, then whose event it is, which ends above the code.
  const top = isPoster ? 42 : 36;
  write(context, words.title, { y: top, size: isPoster ? 21 : 22, weight: 750, ink: INK });
  const nameLines = fit(context, look.name, { size: isPoster ? 12 : 13, width: 172, lines: 2 });
  const gap = nameLines.size * 1.2;
  const nameY = top + (isPoster ? 21 : 20);
  nameLines.lines.forEach((line, number) => {
    write(context, line, {
      y: nameY + number * gap,
      size: nameLines.size,
      weight: 600,
      ink: look.accent,
    });
  });
  if (look.date && (isPoster || nameLines.lines.length === 1))
    write(context, look.date, {
      y: nameY + (nameLines.lines.length - 1) * gap + (isPoster ? 10 : 12),
      size: isPoster ? 7 : 8.5,
      weight: 400,
      ink: QUIET,
    });

  drawCode(context, code, codeAt);
  brackets(context, codeAt, look.accent);

  const below = codeAt.y + codeAt.side;
  const isShort = look.address.length <= 46;
  write(context, `${words.code}  ${look.code}`, {
    y: below + (isPoster ? 24 : 27),
    size: isPoster ? 9.5 : 12,
    weight: 700,
    ink: INK,
  });
  if (isShort)
    write(context, look.address, {
      y: below + (isPoster ? 32.5 : 38),
      size: isPoster ? 6 : 7.5,
      weight: 400,
      ink: QUIET,
      width: 180,
    });
  if (isPoster) {
    steps(context, words.steps, below + 50, look);
    write(context, words.promise, { y: height - 13, size: 4.6, weight: 400, ink: QUIET });
  } else {
    write(context, words.steps.slice(0, 2).join("  ·  "), {
      y: height - 14,
      size: 8,
      weight: 500,
      ink: INK,
      width: 186,
    });
  }
}

interface Style {
  y: number;
  size: number;
  weight: number;
  ink: string;
  x?: number;
  /** It is made smaller where it would be wider. */
  width?: number;
}

function write(context: CanvasRenderingContext2D, text: string, style: Style): void {
  const most = style.width ?? 182;
  context.font = `${style.weight} ${style.size}px ${FONT}`;
  const width = context.measureText(text).width;
  if (width > most) context.font = `${style.weight} ${(style.size * most) / width}px ${FONT}`;
  context.fillStyle = style.ink;
  context.fillText(text, style.x ?? DESIGN_WIDTH / 2, style.y);
}

/** Break a name into lines that are as wide as there is room, smaller where there are too many. */
function fit(
  context: CanvasRenderingContext2D,
  text: string,
  room: { size: number; width: number; lines: number },
): { lines: string[]; size: number } {
  for (let size = room.size; ; size *= 0.92) {
    context.font = `600 ${size}px ${FONT}`;
    const lines: string[] = [];
    for (const word of text.split(/\s+/)) {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
      if (lines.length && context.measureText(longer).width <= room.width)
        lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    const isIn = lines.every((line) => context.measureText(line).width <= room.width);
    if ((isIn && lines.length <= room.lines) || size < room.size / 4) return { lines, size };
  }
}

/** The corners of a viewfinder around the code: FindMe's mark. */
function brackets(context: CanvasRenderingContext2D, { x, y, side }: Square, ink: string): void {
  const off = 9;
  const [left, top, right, bottom] = [x - off, y - off, x + side + off, y + side + off];
  const arm = 20;
  const round = 7;
  context.strokeStyle = ink;
  context.lineWidth = 2.6;
  context.lineCap = "round";
  for (const [cornerX, cornerY, toX, toY] of [
    [left, top, 1, 1],
    [right, top, -1, 1],
    [right, bottom, -1, -1],
    [left, bottom, 1, -1],
  ] as const) {
    context.beginPath();
    context.moveTo(cornerX, cornerY + toY * arm);
    context.arcTo(cornerX, cornerY, cornerX + toX * arm, cornerY, round);
    context.lineTo(cornerX + toX * arm, cornerY);
    context.stroke();
  }
}

function drawCode(context: CanvasRenderingContext2D, code: QrCode, { x, y, side }: Square): void {
  const module = side / code.size;
  context.fillStyle = "#000";
  for (const bar of code.bars)
    // Bars overlap a little: no hair of white between them.
    context.fillRect(x + bar.x * module, y + bar.y * module, bar.width * module, module * 1.02);
}

function steps(
  context: CanvasRenderingContext2D,
  texts: readonly string[],
  y: number,
  look: Look,
): void {
  const column = 62;
  context.font = `600 6.2px ${FONT}`;
  const widest = Math.max(...texts.map((text) => context.measureText(text).width));
  // All of one size: that of the longest.
  const size = 6.2 * Math.min(1, (column - 4) / widest);
  texts.forEach((text, number) => {
    const x = DESIGN_WIDTH / 2 + (number - 1) * column;
    context.fillStyle = look.accent;
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.fill();
    write(context, String(number + 1), {
      x,
      y: y + 2.6,
      size: 7.4,
      weight: 700,
      ink: look.onAccent,
    });
    write(context, text, { x, y: y + 15, size, weight: 600, ink: INK });
  });
}
