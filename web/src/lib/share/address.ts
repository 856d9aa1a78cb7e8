/** The address that an event's QR code says. */

export interface Address {
  url: string;
  /** Only this computer can open it: no phone would. */
  isLocal: boolean;
}

/** Return it from what the API says; without a host it is where this page came from. */
export function addressOf(inviteUrl: string, origin: string = location.origin): Address {
  const url = new URL(inviteUrl, origin);
  return { url: url.href, isLocal: isLocal(url.hostname) };
}

/** As people read it aloud: without the scheme. */
export function readable(url: string): string {
  return url.replace(/^https?:\/\//, "").replace(/\/$/, "");
}

function isLocal(host: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\]|0\.0\.0\.0)$/.test(host);
}
