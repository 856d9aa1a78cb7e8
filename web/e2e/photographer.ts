/** The photographer beside the guest, who does something while the guest's page is open. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { APIRequestContext, APIResponse } from "@playwright/test";
import { scene, type Scene } from "./scene.ts";

const EVENT = `/api/photographer/events/${scene.event?.id}`;

/** Send a file to the event, or to another one of somebody's. */
export async function upload(
  request: APIRequestContext,
  path: string,
  { event, photographer }: Pick<Scene, "event" | "photographer"> = scene,
): Promise<void> {
  const files = { name: basename(path), mimeType: "image/jpeg", buffer: await readFile(path) };
  const headers = await authorization(request, photographer);
  const address = `/api/photographer/events/${event.id}/upload-photos`;
  expectOk(await request.post(address, { headers, multipart: { files } }));
}

/** Set how alike a face must be, 0 to 100; null for what all events have. */
export async function demandSureness(
  request: APIRequestContext,
  threshold: number | null,
): Promise<void> {
  const headers = await authorization(request);
  expectOk(await request.put(`${EVENT}/match-threshold`, { headers, data: { value: threshold } }));
}

async function authorization(
  request: APIRequestContext,
  photographer = scene.photographer,
): Promise<{ Authorization: string }> {
  const login = await request.post("/api/login", { data: photographer });
  const { access_token: token } = (await login.json()) as { access_token: string };
  return { Authorization: `Bearer ${token}` };
}

function expectOk(answer: APIResponse): void {
  if (!answer.ok()) throw new Error(`${answer.url()}: ${answer.status()} ${answer.statusText()}`);
}
