import type { FaceBox } from "#lib/api/client.ts";

/** How a photo lies behind a square window, in sides of that square. */
export interface Crop {
  width: number;
  left: number;
  top: number;
}

/** The window is so many times as wide as the face. */
const ROOM = 1.9;

/** Return how to show a face: in the middle, as far as the photo reaches. */
export function cropOf(box: FaceBox, ratio: number): Crop {
  const face = { width: box.width * ratio, left: box.left * ratio };
  const side = Math.min(Math.max(face.width, box.height) * ROOM, ratio, 1);
  const within = (middle: number, length: number): number =>
    Math.min(Math.max(middle - side / 2, 0), length - side);
  const left = within(face.left + face.width / 2, ratio);
  const top = within(box.top + box.height / 2, 1);
  return { width: ratio / side, left: -left / side, top: -top / side };
}
