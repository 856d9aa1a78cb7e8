/** What the test that starts FindMe says of it (tests/web). */
export interface Scene {
  url: string;
  code: string;
  /** The code of an event that has ended. */
  over: string;
  event: { id: number; name: string };
  photographer: { username: string; password: string };
  /** Photos that were there before, and those of them that show the guest. */
  photos: number;
  own: number;
  /** Files: a further photo of the guest, their selfie, a photo of nobody's or others. */
  late: string;
  selfie: string;
  nobody: string;
  camera: string;
  chromium: string;
  /** For the studio: what is sent, and where the server is killed and started again by a POST. */
  files: string[];
  restart: string;
  /** For who organises: an admin, the token of a first start, and where downloads are saved. */
  admin: { username: string; password: string };
  setupToken: string;
  /** An event whose only photo breaks off, so that no analysis can read it. */
  troubled: { event: Scene["event"]; photographer: Scene["photographer"]; photo: string };
  saved: string;
  /** The photographer's mail address, and where a POST gives the link that was mailed to it. */
  address: string;
  mailedLink: string;
  /** Where a POST puts the next release of the pages in place. */
  nextRelease: string;
  /** Origin of the organisation's login service. */
  provider: string;
  /** Whether every state is photographed, too. */
  screenshots: string;
}

export const scene = JSON.parse(process.env["FINDME_SCENE"] ?? "{}") as Scene;
