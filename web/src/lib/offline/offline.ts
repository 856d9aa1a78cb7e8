/** The page's side of going on without a network. */
import { forgetOrders } from "#lib/gallery/order.ts";
import { MINE, type Told } from "./rules.ts";

const WORKER = "/service-worker.js";
const LAST = "findme.last";
/** What was asked for before the worker was there has come by then; all else comes through it. */
const ON_ITS_WAY_MILLISECONDS = 60_000;

let observer: PerformanceObserver | undefined;

/** Have the browser keep what this guest sees; who has joined nothing has nothing to keep. */
export async function goOnWithoutNetwork(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register(WORKER);
    const { active } = await navigator.serviceWorker.ready;
    if (active) tellSeen(active);
  } catch {
    // A browser that keeps nothing: the pages work with a network.
  }
}

/** Tell the worker what was loaded, or asked for, before it was there. */
function tellSeen(worker: ServiceWorker): void {
  observer?.disconnect();
  const looking = new PerformanceObserver((list) => {
    tell(worker, { seen: list.getEntries().map(({ name }) => name) });
  });
  looking.observe({ type: "resource", buffered: true });
  setTimeout(() => looking.disconnect(), ON_ITS_WAY_MILLISECONDS);
  observer = looking;
}

function tell(worker: ServiceWorker, told: Told): void {
  worker.postMessage(told);
}

/** Where one comes back to from the home screen. */
export function rememberPlace(path: string): void {
  try {
    localStorage.setItem(LAST, path);
  } catch {
    // It begins at the door.
  }
}

export function lastPlace(): string | undefined {
  try {
    return localStorage.getItem(LAST) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Somebody else may look next: nothing of this guest's stays on the device. */
export async function forgetMine(): Promise<void> {
  observer?.disconnect();
  try {
    localStorage.removeItem(LAST);
    forgetOrders();
    if ("serviceWorker" in navigator) {
      const registration = await navigator.serviceWorker.getRegistration();
      if (registration?.active) tell(registration.active, { left: true });
    }
    if ("caches" in globalThis) await caches.delete(MINE);
  } catch {
    // There was nothing.
  }
}
