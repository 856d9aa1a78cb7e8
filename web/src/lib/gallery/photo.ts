import type { AnyPhoto } from "#lib/api/client.ts";

/** What the pages need of a photo: ten thousand of them are held. */
export interface Photo {
  id: number;
  /** As large as a guest gets it, for downloads. */
  url: string;
  thumbnail: string;
  preview: string;
  /** Width by height; 1.5 until it was analysed. */
  ratio: number;
  width: number;
  height: number;
  placeholder: string | null;
  takenAt: string | null;
  /** Minutes ahead of UTC, where known. */
  takenOffset: number | null;
  arrivedAt: string;
  filename: string;
}

const UNKNOWN = { width: 1500, height: 1000 };
/** Of panoramas and strips: a row of a grid has to hold them. */
const NARROWEST = 0.4;
const WIDEST = 3;

export function photoOf(one: AnyPhoto): Photo {
  const width = one.width || UNKNOWN.width;
  const height = one.height || UNKNOWN.height;
  return {
    id: one.id,
    url: one.url,
    thumbnail: one.thumbnail_url,
    preview: one.preview_url,
    ratio: Math.min(WIDEST, Math.max(NARROWEST, width / height)),
    width,
    height,
    placeholder: one.placeholder,
    takenAt: one.taken_at,
    takenOffset: one.taken_at_offset,
    arrivedAt: one.uploaded_at,
    filename: one.original_filename ?? one.filename,
  };
}

/** What a photo is called as it was sent: of raw files, and of some others, guests get a JPEG. */
export function nameFor(filename: string, type: string): string {
  const isOther = type === "image/jpeg" && !/\.(jpe?g|jpe|jfif)$/i.test(filename);
  return isOther ? `${filename.replace(/\.\w+$/, "")}.jpg` : filename;
}
