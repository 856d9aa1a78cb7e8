/** Pictures before they are sent: a phone's 12 megapixels find nobody better, and take a minute. */

const LONG_SIDE = 1600;
const QUALITY = 0.9;
/** Smaller files go as they are. */
const SMALL_BYTES = 1_500_000;
/** Mean luminance of 255 below which a face is hardly seen. */
const DARK = 48;
const SAMPLE = 32;

interface Size {
  width: number;
  height: number;
}
interface Part extends Size {
  x: number;
  y: number;
}

/**
 * Return what the camera shows now, as a JPEG that is not mirrored: what is seen of it and no more,
 * as whoever stands beside the page's edge would be a second face that nobody sees.
 */
export function capture(video: HTMLVideoElement): Promise<Blob> {
  const whole = { width: video.videoWidth, height: video.videoHeight };
  const shown = { width: video.clientWidth, height: video.clientHeight };
  return drawn(video, seenPart(whole, shown));
}

/** The middle of a picture that a place of another shape shows, filled by it (`object-fit: cover`). */
export function seenPart(whole: Size, shown: Size): Part {
  if (!shown.width || !shown.height) return { x: 0, y: 0, ...whole };
  const scale = Math.max(shown.width / whole.width, shown.height / whole.height);
  const width = Math.round(shown.width / scale);
  const height = Math.round(shown.height / scale);
  return { x: (whole.width - width) / 2, y: (whole.height - height) / 2, width, height };
}

/** Return a chosen file, smaller where the browser can read it. */
export async function reduced(file: File): Promise<Blob> {
  if (file.size <= SMALL_BYTES) return file;
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    return await drawn(bitmap, { x: 0, y: 0, width: bitmap.width, height: bitmap.height });
  } catch {
    return file; // HEIC, where only the server reads it
  }
}

/** Whether it is too dark in front of the camera. */
export function isDark(video: HTMLVideoElement, canvas: HTMLCanvasElement): boolean {
  canvas.width = SAMPLE;
  canvas.height = SAMPLE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  context.drawImage(video, 0, 0, SAMPLE, SAMPLE);
  return luminance(context.getImageData(0, 0, SAMPLE, SAMPLE).data) < DARK;
}

/** Mean luminance of RGBA pixels, 0 to 255 (Rec. 709). */
export function luminance(pixels: Uint8ClampedArray): number {
  let sum = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    sum +=
      0.2126 * (pixels[at] ?? 0) + 0.7152 * (pixels[at + 1] ?? 0) + 0.0722 * (pixels[at + 2] ?? 0);
  }
  return pixels.length ? sum / (pixels.length / 4) : 0;
}

async function drawn(source: CanvasImageSource, part: Part): Promise<Blob> {
  const { x, y, width, height } = part;
  const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context?.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be drawn"))),
      "image/jpeg",
      QUALITY,
    );
  });
}
