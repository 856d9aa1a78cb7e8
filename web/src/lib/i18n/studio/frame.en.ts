import type { Formats } from "../formats.ts";

export const words = (f: Formats) => {
  const some = (n: number, one: string, other: string): string =>
    `${f.number(n)} ${f.plural(n) === "one" ? one : other}`;
  return {
    pageTitle: (name: string) => `${name} · FindMe studio`,
    skip: "To the content",

    login: {
      title: "Studio",
      text: "For photographers and organisers.",
      name: "Name or e-mail address",
      password: "Password",
      signIn: "Sign in",
      wrong: "Name or password are not right. Look at both again.",
      locked: "This account cannot sign in. Ask who runs this site.",
      provider: "Sign in with your organisation",
      forgotten: "I forgot my password",
      forgottenHint: "We send a link by which you choose another one.",
      mail: "E-mail address",
      send: "Send the link",
      sent: "If there is an account with this address, a mail with a link is on its way.",
      back: "Back to signing in",
      guestTitle: "This is for photographers",
      guest: "You are here as a guest of an event. Sign in with a photographer's account.",
      event: "To your photos",
      signInAs: "Sign in as a photographer",
    },

    account: {
      title: "Your account",
      hello: (name: string) => `You are ${name} here.`,
      signOut: "Sign out",
      password: "Another password",
      present: "Password as it is",
      next: "New password",
      hint: "Eight characters or more, with a capital letter, a digit and a special character.",
      change: "Change the password",
      changed: "The password is changed. All other devices are signed out.",
      wrong: "The present password is not right.",
      weak: "The new password is too easy to guess, or the same. Choose a longer one, of words that are not yours.",
    },

    events: {
      title: "Events",
      live: "live",
      ended: "ended",
      soon: (date: string) => `on ${date}`,
      photos: (n: number) => some(n, "photo", "photos"),
      make: "New event",
      noneTitle: "No event yet",
      none: "Make one: its guests join by the code that it gets.",
      pickTitle: "Choose an event",
      pick: "Its photos, guests and settings appear here.",
      all: "All events",
      admin: "Admin",
      more: "Your account",
    },

    event: {
      tabs: "Parts of the event",
      photos: "Photos",
      people: "People",
      guests: "Guests",
      upload: "Upload",
      settings: "Settings",
      share: "Share",
      live: "live",
      reconnecting: "connecting again",
      received: (n: number) => `${f.number(n)} received`,
      analysed: (n: number) => `${f.number(n)} analysed`,
      failed: (n: number) => `${f.number(n)} failed`,
      joined: (n: number) => some(n, "guest", "guests"),
      overText: (date: string) =>
        `It ended on ${date}: guests see nothing any more. You can prolong it in its settings.`,
      goneTitle: "There is no such event",
      gone: "It was deleted, or it is another photographer's.",
      failedTitle: "The event could not be loaded",
    },

    zone: {
      label: "Time zone",
      none: "None: as each camera's clock shows",
      hint: "Where it takes place. Photos of all cameras are then in one order, by the clock there.",
      noneHint: "Photos of phones and cameras that are set to different zones may be out of order.",
      unknown: "FindMe does not know this time zone. Choose another one, of a place near by.",
    },

    make: {
      title: "New event",
      name: "Name",
      nameHint: "As guests read it.",
      nameMissing: "Give the event a name.",
      date: "Date",
      code: "Code",
      codeHint: "Guests type it where they cannot scan. Letters A to Z and digits, six or more.",
      codeShort: "A code has six or more letters (A to Z) and digits, and nothing else.",
      codeTaken: "Another event has this code. Here is another one.",
      another: "Suggest another",
      end: "Ends",
      endHint: "From then on guests see nothing any more; later all photos and faces are erased.",
      endEarly: "It must end after its date, and not in the past.",
      seen: "All photos",
      seenByAll: "Every guest sees them all",
      seenChosen: "Guests see the photos of them, and those that you choose",
      whose: "Photographer",
      nobody: "Nobody yet",
      create: "Create the event",
    },
  };
};

export type FrameWords = ReturnType<typeof words>;
