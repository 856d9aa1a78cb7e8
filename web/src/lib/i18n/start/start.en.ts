import type { Formats } from "../formats.ts";

export const words = (f: Formats) => ({
  pageTitle: "First start · FindMe",
  step: (n: number, all: number) => `Step ${f.number(n)} of ${f.number(all)}`,
  closedTitle: "FindMe is set up already",
  closed: "There is an admin. Sign in, or ask them for an account.",
  signIn: "Sign in",
  failedTitle: "This could not be loaded",

  adminTitle: "Who runs FindMe here?",
  adminText: "You make the first account. With it you make all others.",
  token: "Setup token",
  tokenHint: "FindMe printed it in the terminal as it started.",
  tokenWrong: "This is not the token. Copy it from the terminal, whole.",
  name: "Your name",
  email: "E-mail address",
  password: "Password",
  passwordHint: "Eight characters or more, with a capital letter, a digit and a special character.",
  passwordWeak:
    "Take a password of eight characters or more, with a capital letter, a digit and a special character.",
  missing: "Fill this in.",
  emailWrong: "Write an address such as name@example.org.",
  next: "Go on",

  eventTitle: "Your first event",
  eventText: "Guests join it by a code that we make.",
  event: "Name of the event",
  eventExample: "Gala of the Harbour",
  date: "Date",
  create: "Create the event",

  doneTitle: (name: string) => `${name} is ready`,
  done: "Scan this with your phone: this is what your guests will see.",
  qr: "QR code that opens the event",
  localTitle: "Phones cannot open this address yet",
  local:
    "It leads to this computer alone. Start FindMe with --host 0.0.0.0 and open it by this computer's address in your network, or set PUBLIC_URL.",
  upload: "Upload photos",
  studio: "To the studio",
  admin: "To the admin's pages",
});

export type StartWords = ReturnType<typeof words>;
