/** Sends one file: small ones in one request, larger ones by tus, which goes on after a break. */
import { DetailedError, Upload } from "tus-js-client";
import { api, ask, Problem } from "#lib/api/client.ts";
import type { Item, Told } from "./queue.ts";
import { isResumable, MOST_PARALLEL, MOST_PARALLEL_MULTIPLEXED, PIECE_BYTES } from "./rules.ts";

const LONGEST_NAME = 255;

type Outcome = "queued" | "duplicate";

/** Throws Problem; status 0 where it was aborted, too. */
export function send(item: Item, file: File, told: Told, signal: AbortSignal): Promise<Outcome> {
  return isResumable(file.size)
    ? sendInPieces(item, file, told, signal)
    : sendAtOnce(item, file, told, signal);
}

/** Return those of the digests that the event has. Throws Problem. */
export async function existing(eventId: number, digests: string[]): Promise<ReadonlySet<string>> {
  const found = await ask(
    api.POST("/api/events/{event_id}/photos/exists", {
      params: { path: { event_id: eventId } },
      body: { sha256: digests },
    }),
  );
  return new Set(found.existing.map(({ sha256 }) => sha256));
}

/** Ask whether the server is there, and the event. Throws Problem. */
export async function probe(eventId: number): Promise<void> {
  await ask(
    api.GET("/api/events/{event_id}/progress", { params: { path: { event_id: eventId } } }),
  );
}

/** How many uploads at once the connection to the server has room for. */
export function mostParallel(): number {
  const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const isMultiplexed = page && /^h[23]/.test(page.nextHopProtocol);
  return isMultiplexed ? MOST_PARALLEL_MULTIPLEXED : MOST_PARALLEL;
}

/** `fetch` tells nothing of how far an upload is. */
function sendAtOnce(item: Item, file: File, told: Told, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/api/events/${item.eventId}/photos/${encodeURIComponent(nameOf(item))}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (item.sha256) request.setRequestHeader("Repr-Digest", `sha-256=:${base64(item.sha256)}:`);
    request.upload.addEventListener("progress", (event) => told.progress(event.loaded));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve("queued");
      else if (request.status === 200) resolve("duplicate");
      else {
        const retryAfter = Number(request.getResponseHeader("Retry-After")) || 0;
        reject(new Problem(request.status, detailOf(request.responseText), retryAfter));
      }
    });
    for (const broken of ["error", "abort", "timeout"]) {
      request.addEventListener(broken, () => reject(new Problem(0)));
    }
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

function sendInPieces(item: Item, file: File, told: Told, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let status: string | undefined;
    const upload = new Upload(file, {
      endpoint: "/api/uploads",
      uploadUrl: item.tusUrl ?? null,
      uploadDataDuringCreation: true,
      chunkSize: PIECE_BYTES,
      // The queue tries again, and keeps the address.
      retryDelays: null,
      storeFingerprintForResuming: false,
      metadata: {
        event_id: String(item.eventId),
        filename: nameOf(item),
        ...(item.sha256 ? { sha256: item.sha256 } : {}),
      },
      onUploadUrlAvailable: () => {
        if (upload.url) told.url(upload.url);
      },
      onProgress: (sent) => told.progress(sent),
      onAfterResponse: (_, response) => {
        status = response.getHeader("FindMe-Status") ?? status;
      },
      onSuccess: () => resolve(status === "duplicate" ? "duplicate" : "queued"),
      onError: (error) => reject(problemOf(error)),
    });
    signal.addEventListener("abort", () => {
      void upload.abort();
      reject(new Problem(0));
    });
    upload.start();
  });
}

function problemOf(error: Error | DetailedError): Problem {
  const response = error instanceof DetailedError ? error.originalResponse : null;
  if (!response) return new Problem(0);
  const retryAfter = Number(response.getHeader("Retry-After")) || 0;
  return new Problem(response.getStatus(), detailOf(response.getBody()), retryAfter);
}

function detailOf(body: string): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return typeof detail === "string" ? detail : "";
  } catch {
    return "";
  }
}

function nameOf(item: Item): string {
  return (item.path.split("/").at(-1) ?? item.path).slice(-LONGEST_NAME);
}

function base64(hex: string): string {
  const bytes = hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  return btoa(String.fromCharCode(...bytes));
}
