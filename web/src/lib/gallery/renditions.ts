/** How large the renditions are that the server makes (`preview_url` and `thumbnail_url` in its document). */

export const THUMBNAIL_SIDE = 400;
export const PREVIEW_SIDE = 1600;
/** Pictures that are longer are panoramas: as high as one of this shape. */
const WIDE = 2;
/** From here on a panorama's pixels are bounded: this many times those of one that is just wide. */
const MOST_PIXELS = 3;
const MOST_SIDE = 16_383;

export interface Size {
  width: number;
  height: number;
}

/**
 * Return how large a photo's rendition is, whose longer side is `side` but for panoramas.
 *
 * What is smaller is not enlarged.
 */
export function sizeOf({ width, height }: Size, side: number): Size {
  const longer = Math.max(width, height);
  const wide = longer / Math.max(1, Math.min(width, height)) / WIDE;
  const wanted = wide > 1 ? Math.round(side * Math.min(wide, Math.sqrt(MOST_PIXELS * wide))) : side;
  const scale = Math.min(1, Math.min(wanted, MOST_SIDE) / longer);
  const scaled = (value: number): number => Math.max(1, Math.round(value * scale));
  return { width: scaled(width), height: scaled(height) };
}
