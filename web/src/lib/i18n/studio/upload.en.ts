import type { Formats } from "../formats.ts";
import type { Halt, Reason } from "#lib/upload/rules.ts";
import type { LeftOut } from "#lib/upload/leftOut.ts";

export const words = (f: Formats) => {
  const some = (n: number, one: string, other: string): string =>
    `${f.number(n)} ${f.plural(n) === "one" ? one : other}`;
  return {
    title: "Upload",
    dropTitle: "Drop photos or whole folders here",
    drop: "Anywhere in this window. The same photo is never taken twice.",
    dropTo: (name: string) => `Let go: they go to ${name}`,
    files: "Choose files",
    folder: "Choose a folder",
    finding: "Looking through the folder",
    ended: "This event has ended: it takes no photos any more. Prolong it in its settings.",

    tray: {
      label: "Upload",
      sending: (done: number, all: number) => `${f.number(done)} of ${some(all, "file", "files")}`,
      pace: (speed: number) => `${f.size(speed)}/s`,
      left: (seconds: number) => `${f.duration(seconds)} left`,
      doneTitle: (n: number) => `${some(n, "photo is", "photos are")} in`,
      nothing: "Nothing new: the event had all of them",
      duplicate: (n: number) => `${some(n, "was", "were")} there already`,
      failed: (n: number) => `${some(n, "file", "files")} could not be sent`,
      leftOut: ({ raw, strangeRaw, unsureRaw, video, aside }: LeftOut) =>
        [
          raw ? `${some(raw, "raw file", "raw files")} left out: their JPEG is sent` : "",
          strangeRaw
            ? `${some(strangeRaw, "raw file", "raw files")} of other kinds left out: export them as JPEG`
            : "",
          unsureRaw
            ? `${some(unsureRaw, "raw file", "raw files")} left out: the folder went away, choose it again`
            : "",
          video ? `${some(video, "video", "videos")} left out` : "",
          aside ? `${some(aside, "other file", "other files")} left out` : "",
        ].filter(Boolean),
      pause: "Pause",
      paused: "Paused",
      resume: "Go on",
      now: "Try now",
      close: "Done, close this",
      stop: "Stop and forget",
      stopTitle: "Stop the upload?",
      stopText: (n: number) =>
        `${some(n, "file is", "files are")} not sent yet. What has arrived stays in the event.`,
      more: "Show the files",
      less: "Hide the files",
      list: "Files",
      again: "Try again",
      againAll: "Try all again",
      missingTitle: (n: number) => `${some(n, "file is", "files are")} left from last time`,
      missing: "Choose or drop the same folder again: it goes on where it was.",
      allow: "Go on with the folder",
    },

    status: {
      missing: "not at hand",
      waiting: "waits",
      ready: "is next",
      sending: (share: string) => `is sent, ${share}`,
      done: "is in",
      duplicate: "was there already",
      failed: "failed",
    },

    halt: {
      network: "The connection broke. Nothing is lost: it goes on when it is back.",
      busy: "The server has much to do. It goes on in a moment.",
      full: "The server's disk is full. Tell who runs this site; it goes on when there is room.",
      signedOut: "You are signed out. Sign in again, and it goes on.",
      gone: "This event takes no photos any more: it has ended, or is another photographer's now.",
      manyPhotos:
        "The event has as many photos as it may have. Delete some, or make another event.",
    } satisfies Record<Halt, string>,
    signIn: "Sign in again",

    reason: {
      large: "Too large a file. Export it smaller.",
      empty: "The file is empty. Copy it from the card once more.",
      unreadable: "The file cannot be read. Is the card still in, and the file where it was?",
      refused: "The server does not take this file.",
      server: "The server failed at this file several times. Try again later.",
    } satisfies Record<Reason, string>,

    ways: {
      title: "From cameras, folders and programs",
      text: "They send by a key instead of your password. A key is good for uploads alone, and can be revoked.",
      keys: "Upload keys",
      key: "Upload key",
      keyName: "Camera 1",
      makeKey: "Make a key",
      keyMade: (name: string) => `The key of ${name}. Copy it now: it is not shown again.`,
      keyOfAll: "for all of your events",
      keyUsed: (moment: string) => `last used on ${moment}`,
      keyUnused: "not used yet",
      keysNobody: "Keys are a photographer's: give the event one first.",
      revoke: "Revoke",
      revokeNamed: (name: string) => `Revoke the key of ${name}`,
      revokeTitle: (name: string) => `Revoke the key of ${name}?`,
      revokeText: "What sends with it is refused from now on. What has arrived stays.",
      camera: "Camera by FTP",
      cameraText:
        "Into the camera's FTP settings. All photos go to this event, by their own names.",
      cameraClosed: "Cameras cannot send by FTP here yet. Who runs this site can open that door.",
      host: "Server",
      port: "Port",
      user: "User",
      password: "Password",
      aKey: "an upload key",
      security: "Security",
      tls: {
        required: "FTPS, explicit (AUTH TLS)",
        offered: "FTPS, explicit; or none",
        none: "none: anybody on the way can read along",
      },
      passive: "Passive mode",
      passiveOn: (ports: string) => `on, ports ${ports}`,
      folder: "Folder on a computer",
      folderText:
        "findme-watch sends each photo of a folder once, over links that break for hours.",
      program: "Any program",
      programText: "One photo in one request, by its name.",
      copy: (what: string) => `Copy: ${what}`,
      copied: "Copied",
    },

    pipeline: {
      title: "How far it is",
      received: "received",
      analysed: "analysed",
      matched: "matched",
      failed: "failed",
      pending: "waiting",
      left: (seconds: number) => `All are done in about ${f.duration(seconds)}.`,
      done: "All photos are done.",
      none: "Photos that come in are counted here.",
      finished: "done",
      perMinute: "Photos a minute",
      chart: (most: number) => `Photos a minute in the last half hour, at most ${f.number(most)}`,
      minute: (time: string, received: number, done: number) =>
        `${time}: ${f.number(received)} received, ${f.number(done)} done`,
    },
  };
};

export type UploadWords = ReturnType<typeof words>;
