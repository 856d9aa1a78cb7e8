/** What a guest's device keeps for when there is no network, and for how long. */

/** Everything of one guest: it is emptied when they leave. */
export const MINE = "findme-mine-1";
/** The pages' own code, as far as it was used. */
export const CODE = "findme-code-1";
/** Drawn for every path of the browser app. */
export const SHELL = "/";

/** What a page tells the worker: what it loaded before that was there, or that its guest left. */
export type Told = { seen: string[] } | { left: true };

export type Kind = "code" | "list" | "thumbnail" | "preview";

/** Of each kind so many; the ones that came first go first. Some 30 MB in all. */
export const MOST_KEPT: Record<Exclude<Kind, "code">, number> = {
  list: 24,
  thumbnail: 800,
  preview: 60,
};

const LISTS =
  /^\/api\/(user\/events(\/\d+\/(photos|all-photos|uncertain-photos|favourites))?|me\/settings|my-selfies|rematch-status)$/;
const CODE_PATHS = /^\/(_app\/immutable\/.*|icon\.svg|icons\/.*|manifest\.webmanifest)$/;
const PICTURES = /^\/api\/media\/.*\/(thumbnail|preview)\.webp$/;
/** After these somebody else is here, or nobody. */
const LEAVES = new Set([
  "POST /api/logout",
  "DELETE /api/me",
  "POST /api/login",
  "POST /api/link/confirm",
  "POST /api/join",
  "POST /api/join-with-selfie",
]);

/** Return what is kept of an address of ours; undefined for what is not. */
export function kindOf(url: URL): Kind | undefined {
  if (CODE_PATHS.test(url.pathname)) return "code";
  if (LISTS.test(url.pathname)) return "list";
  const picture = PICTURES.exec(url.pathname)?.[1];
  return picture === "thumbnail" || picture === "preview" ? picture : undefined;
}

/** Whether the address is good still: signed ones say until when, and nobody has them for longer. */
export function isGood(url: URL, nowMilliseconds: number): boolean {
  if (!PICTURES.test(url.pathname)) return true;
  return Number(url.searchParams.get("e")) * 1000 > nowMilliseconds;
}

/** Guests' pages alone go on without a network. */
export function isGuestPage(pathname: string): boolean {
  return pathname === "/" || pathname.startsWith("/e/");
}

export function leaves(method: string, pathname: string): boolean {
  return LEAVES.has(`${method} ${pathname}`);
}
