import { thumbHashToDataURL } from "thumbhash";
import type { Attachment } from "svelte/attachments";

/** Paint a photo's thumbhash behind it, until the photo is there. */
export function painted(placeholder: string | null): Attachment<HTMLElement> {
  return (element) => {
    const url = placeholder && urlOf(placeholder);
    if (url) element.style.backgroundImage = `url(${url})`;
  };
}

/** Return the picture of a Base64 thumbhash; null for what is none. */
export function urlOf(placeholder: string): string | null {
  try {
    return thumbHashToDataURL(Uint8Array.from(atob(placeholder), (one) => one.charCodeAt(0)));
  } catch {
    return null;
  }
}
