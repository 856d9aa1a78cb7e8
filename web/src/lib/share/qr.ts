/** An event's QR code as a picture, as a drawing, and as rectangles for whatever draws. */
import { encode } from "uqr";

/** Modules of white around it, as ISO/IEC 18004 asks. */
const BORDER = 4;
/** Pixels of a picture: sharp at 10 cm and 300 dots an inch. */
const PICTURE_PIXELS = 1200;

export interface Bar {
  x: number;
  y: number;
  width: number;
}

export interface QrCode {
  /** Modules of a side, without the border. */
  size: number;
  /** Dark modules that lie beside each other, in modules. */
  bars: Bar[];
}

/** Encode the text so that it is read with 25 % of it covered. */
export function qrOf(text: string): QrCode {
  const { data, size } = encode(text, { ecc: "Q", border: 0 });
  const bars: Bar[] = [];
  data.forEach((row, y) => {
    let x = 0;
    while (x < size) {
      let width = 0;
      while (row[x + width]) width += 1;
      if (width) bars.push({ x, y, width });
      x += width || 1;
    }
  });
  return { size, bars };
}

export function svgOf(text: string): Blob {
  const { size, bars } = qrOf(text);
  const side = size + 2 * BORDER;
  const path = bars
    .map(({ x, y, width }) => `M${x + BORDER} ${y + BORDER}h${width}v1h-${width}z`)
    .join("");
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges">` +
    `<path fill="#fff" d="M0 0h${side}v${side}H0z"/><path d="${path}"/></svg>`;
  return new Blob([svg], { type: "image/svg+xml" });
}

export function pngOf(text: string): Promise<Blob> {
  const { size, bars } = qrOf(text);
  const module = Math.ceil(PICTURE_PIXELS / (size + 2 * BORDER));
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = module * (size + 2 * BORDER);
  const context = contextOf(canvas);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#000";
  for (const { x, y, width } of bars)
    context.fillRect((x + BORDER) * module, (y + BORDER) * module, width * module, module);
  return blobOf(canvas, "image/png");
}

export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws nothing");
  return context;
}

export function blobOf(canvas: HTMLCanvasElement, type: string, quality?: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("nothing was drawn"))),
      type,
      quality,
    );
  });
}
