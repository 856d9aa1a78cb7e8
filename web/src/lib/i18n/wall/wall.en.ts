import type { Formats } from "../formats.ts";

export const words = (f: Formats) => ({
  pageTitle: (name: string) => `${name} on the wall`,
  invite: "Find your photos",
  scan: "Scan the code and take a selfie.",
  code: (code: string) => `Code ${code}`,
  qr: "QR code that opens the event",
  noneYet: "The first photos appear here in a moment.",
  photo: (n: number) => `Photo ${f.number(n)} of the event`,
  offline: "No connection. It goes on with the photos that are here.",
  local: "This address works on this computer alone.",
  pause: "Pause",
  go: "Go on",
  next: "Next photo",
  full: "Full screen",
  leave: "Leave full screen",
  goneTitle: "This wall was taken down",
  gone: "Its link opens nothing any more. Whoever runs the event can make a new one.",
  failedTitle: "The wall cannot be loaded",
});

export type WallWords = ReturnType<typeof words>;
