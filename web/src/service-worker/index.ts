/**
 * Guests' pages without a network: the last view, and thumbnails that were seen.
 *
 * Only what `rules.ts` names is kept, bounded, and none of it longer than its address is good. The
 * studio, the admin's pages and walls are not touched.
 */
import { immutable } from "$app/manifest";
import { self } from "$app/service-worker";
import { Keeper } from "../lib/offline/keeper.ts";
import {
  CODE,
  isGood,
  isGuestPage,
  kindOf,
  leaves,
  MINE,
  MOST_KEPT,
  SHELL,
  type Kind,
  type Told,
} from "../lib/offline/rules.ts";

/** A venue's network may take a page's answer and never give it. */
const PATIENCE_MILLISECONDS = 4000;
/** Surplus is looked for once in so many additions. */
const TIDY_EVERY = 20;
const MATCH = { ignoreVary: true };

const keeper = new Keeper(caches);
let additions = 0;

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      await (await caches.open(CODE)).add(SHELL);
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      await forgetOldCode();
      await tidy();
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (leaves(request.method, url.pathname)) event.respondWith(left(request));
  else if (request.method !== "GET") return;
  else if (request.mode === "navigate") {
    if (isGuestPage(url.pathname)) event.respondWith(page(request));
  } else {
    const kind = kindOf(url);
    if (kind === "list") event.respondWith(list(request));
    else if (kind) event.respondWith(kept(request, kind, event.clientId));
  }
});

self.addEventListener("message", (event) => {
  const told = event.data as Told;
  event.waitUntil("seen" in told ? keepSeen(told.seen) : keeper.forget());
});

/** Somebody logs in or out: nothing of who was here stays. */
async function left(request: Request): Promise<Response> {
  const response = await fetch(request);
  if (response.ok) await keeper.forget();
  return response;
}

/** The shell of the page: from the network, and without one as it was. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(CODE);
  const fetched = fetch(request).then(async (response) => {
    if (response.ok) await cache.put(SHELL, response.clone());
    return response;
  });
  const late = new Promise<undefined>((resolve) =>
    setTimeout(() => resolve(undefined), PATIENCE_MILLISECONDS),
  );
  const first = await Promise.race([fetched.catch(() => undefined), late]);
  return first ?? (await cache.match(SHELL, MATCH)) ?? fetched;
}

/** What the API says: now, and without a network as it said last. */
async function list(request: Request): Promise<Response> {
  const { stay } = keeper;
  const cache = await caches.open(MINE);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    const known = await cache.match(request.url, MATCH);
    if (known) return known;
    throw error;
  }
  if (response.status === 401) await keeper.forget();
  else if (response.ok) await add(MINE, request.url, response.clone(), stay);
  else if (response.status < 500 && response.status !== 429) await cache.delete(request.url, MATCH);
  return response;
}

/** What never changes: as it was kept, else from the network, and kept for guests' pages. */
async function kept(request: Request, kind: Kind, clientId: string): Promise<Response> {
  const { stay } = keeper;
  const url = new URL(request.url);
  const name = kind === "code" ? CODE : MINE;
  const cache = await caches.open(name);
  if (isGood(url, Date.now())) {
    const known = await cache.match(request.url, MATCH);
    if (known) return known;
  } else await cache.delete(request.url, MATCH);
  const response = await fetch(request);
  if (await isOfGuest(clientId)) await addIfWhole(url, name, response.clone(), stay);
  return response;
}

async function isOfGuest(clientId: string): Promise<boolean> {
  const client = await self.clients.get(clientId);
  return client !== undefined && isGuestPage(new URL(client.url).pathname);
}

async function keepSeen(seen: readonly string[]): Promise<void> {
  const { stay } = keeper;
  const found = seen
    .map((address) => new URL(address, self.location.origin))
    .filter((url) => url.origin === self.location.origin)
    .map((url) => ({ url, kind: kindOf(url) }))
    // Without their code, pages show nothing of the rest.
    .sort((a, b) => Number(b.kind === "code") - Number(a.kind === "code"));
  for (const { url, kind } of found) {
    if (!kind) continue;
    const name = kind === "code" ? CODE : MINE;
    if (!keeper.mayKeep(name, stay)) return;
    if (await (await caches.open(name)).match(url.href, MATCH)) continue;
    try {
      // Browsers have it still, and ask nobody.
      await addIfWhole(url, name, await fetch(url.href), stay);
    } catch {
      continue; // The network is away at this moment.
    }
  }
}

async function addIfWhole(url: URL, name: string, response: Response, stay: number): Promise<void> {
  if (response.status === 200 && response.type === "basic" && isGood(url, Date.now()))
    await add(name, url.href, response, stay);
}

async function add(name: string, address: string, response: Response, stay: number): Promise<void> {
  if (!(await keeper.add(name, address, response, stay))) return;
  additions += 1;
  if (additions % TIDY_EVERY === 0) await tidy();
}

/** Drop what is not good any more, and what is too many, the first that came first. */
async function tidy(): Promise<void> {
  const cache = await caches.open(MINE);
  const found = new Map<Kind, string[]>();
  for (const { url: address } of await cache.keys()) {
    const url = new URL(address);
    const kind = kindOf(url);
    if (!kind || kind === "code" || !isGood(url, Date.now())) await cache.delete(address, MATCH);
    else found.set(kind, [...(found.get(kind) ?? []), address]);
  }
  for (const [kind, addresses] of found) {
    const most = kind === "code" ? Infinity : MOST_KEPT[kind];
    for (const address of addresses.slice(0, Math.max(0, addresses.length - most)))
      await cache.delete(address, MATCH);
  }
}

async function forgetOldCode(): Promise<void> {
  const present = new Set(
    immutable.map(({ path }) => new URL(path, self.location.origin).pathname),
  );
  const cache = await caches.open(CODE);
  for (const { url } of await cache.keys()) {
    const { pathname } = new URL(url);
    if (pathname.startsWith("/_app/") && !present.has(pathname)) await cache.delete(url);
  }
}
