import type { Formats } from "../formats.ts";

export const words = (f: Formats) => ({
  title: (name: string) => `Share ${name}`,
  parts: "What you share",
  link: "Link",
  print: "Print",
  wall: "Wall",
  qr: "QR code that opens the event",
  scan: "Guests scan the code, or type this address.",
  copy: "Copy the link",
  copied: "The link is copied.",
  png: "Picture (PNG)",
  svg: "Drawing (SVG)",
  localTitle: "Phones cannot open this address",
  local:
    "It leads to this computer alone. Open FindMe by the address that guests will use, or set PUBLIC_URL to it.",
  format: "Format",
  formats: {
    poster: "Poster, A4",
    cards: "Table cards A6, eight on a sheet of A3",
    smallCards: "Small cards A7, eight on a sheet of A4",
  },
  language: "Language on it",
  preview: "As it prints",
  pdf: "Download the PDF",
  paper: "Print at 100 %, without scaling. Cut along the marks.",
  paperOne: "Print at 100 %, without scaling.",
  wallText:
    "For a projector or a screen at the venue: photos as they come in, with the code in a corner. Whoever has the link sees what all guests see.",
  wallMake: "Make a link",
  wallOpen: "Open",
  wallCopy: "Copy",
  wallEnd: "Take down",
  wallEnded: "The wall is taken down: its screens end within seconds.",
  wallMade: (moment: string) => `Made on ${moment}`,
  wallMany: "There are twenty walls already. Take one down that is not used any more.",
  walls: (n: number) => (n === 1 ? "One wall" : `${f.number(n)} walls`),
});

export type ShareWords = ReturnType<typeof words>;
