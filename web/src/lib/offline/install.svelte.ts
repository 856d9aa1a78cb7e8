/** FindMe on the home screen: browsers that can put it there say so once, early. */

interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

let offered = $state.raw<InstallEvent>();

if (typeof addEventListener === "function") {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offered = event as InstallEvent;
  });
  addEventListener("appinstalled", () => (offered = undefined));
}

/** What puts it there, where the browser can. */
export function installer(): (() => Promise<void>) | undefined {
  const event = offered;
  if (!event) return undefined;
  return async () => {
    offered = undefined;
    await event.prompt();
  };
}

/** Whether one puts it there by the browser's own menu, as on iPhones. */
export function isByMenu(): boolean {
  return /iPhone|iPad/.test(navigator.userAgent) && !isInstalled();
}

export function isInstalled(): boolean {
  return matchMedia("(display-mode: standalone)").matches;
}
