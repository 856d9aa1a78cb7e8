/** The orders of an event's photos, as somebody chose one on this device. */
import type { Photo } from "./photo.ts";

/** By arrival or by when they were taken, the newest first; or as the day went. */
export const ORDERS = ["arrived", "taken", "day"] as const;
export type Order = (typeof ORDERS)[number];

const KEY = "findme.order.";

/** Return the photos of an event, which has a time zone or none, in that order; the API's is by arrival. */
export function inOrder<P extends Photo>(
  photos: readonly P[],
  order: Order,
  zone: string | null | undefined,
): readonly P[] {
  if (order === "arrived") return photos;
  const moment = ({ takenAt, takenOffset, arrivedAt }: Photo): number =>
    // Without a zone cameras' clocks are compared as if they stood in UTC, as the API does.
    takenAt
      ? Date.parse(`${takenAt}Z`) - (zone ? (takenOffset ?? 0) * 60_000 : 0)
      : Date.parse(arrivedAt);
  const sign = order === "taken" ? -1 : 1;
  return photos
    .map((photo) => ({ photo, at: moment(photo) }))
    .sort((a, b) => sign * (a.at - b.at || a.photo.id - b.photo.id))
    .map(({ photo }) => photo);
}

export function orderOf(eventId: number): Order {
  try {
    const found = localStorage.getItem(KEY + eventId);
    return ORDERS.find((order) => order === found) ?? "arrived";
  } catch {
    return "arrived";
  }
}

export function rememberOrder(eventId: number, order: Order): void {
  try {
    localStorage.setItem(KEY + eventId, order);
  } catch {
    // It is as it was the next time.
  }
}

/** Somebody else may look next. */
export function forgetOrders(): void {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(KEY)) localStorage.removeItem(key);
  }
}
