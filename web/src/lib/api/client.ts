/** The API, in the types that are made of its OpenAPI document; the session is a cookie. */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Schemas = components["schemas"];
export type AnyPhoto = Schemas["GuestPhoto"] | Schemas["PhotographerPhoto"];
export type ApiPhoto = Schemas["GuestPhoto"];
export type PhotographerPhoto = Schemas["PhotographerPhoto"];
export type PhotoGuest = Schemas["PhotoGuest"];
export type FaceInPhoto = Schemas["FaceInPhoto"];
export type FaceBox = Schemas["FaceBox"];
export type Person = Schemas["Person"];
export type PersonPhoto = Schemas["PersonPhoto"];
export type EventGuest = Schemas["EventGuest"];
export type EventSettings = Schemas["EventSettings"];
export type EventCamera = Schemas["Camera"];
export type EventSettingsChange = Schemas["EventSettingsChange"];
export type ThresholdPreview = Schemas["ThresholdPreview"];
export type UncertainPhoto = Schemas["UncertainPhoto"];
export type Invitation = Schemas["Invitation"];
export type JoinedEvent = Schemas["JoinedEvent"];
export type Selfie = Schemas["Selfie"];
export type OwnAccount = Schemas["OwnAccount"];
export type Situation = Schemas["Situation"];
export type DeadLetter = Schemas["DeadLetter"];
export type AuditEntry = Schemas["AuditEntry"];
export type WallShow = Schemas["WallShow"];
export type WallView = Schemas["WallView"];
export type DeletedAccount = Schemas["DeletedAccount"];
export type Account = Schemas["User"];
export type EventAtAGlance = Schemas["EventAtAGlance"];
export type EventProgress = Schemas["EventProgress"];
export type EventConnections = Schemas["EventConnections"];
export type ApiKey = Schemas["ApiKeyView"];

export const api = createClient<paths>({ baseUrl: "" });

/** What went wrong: status 0 where no answer came. */
export class Problem extends Error {
  override name = "Problem";

  constructor(
    readonly status: number,
    /** The server's own sentence, in English, if it said one. */
    readonly detail = "",
    readonly retryAfterSeconds = 0,
  ) {
    super(detail || `status ${status}`);
  }

  /** Whether it may go well at the next try. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return what was answered. Throws Problem. */
export async function ask<T>(call: Promise<Answer<T>>): Promise<T> {
  return (await askWhole(call)).data;
}

/** The same with the response, for its headers. */
export async function askWhole<T>(
  call: Promise<Answer<T>>,
): Promise<{ data: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch {
    throw new Problem(0);
  }
  if (!answer.response.ok) throw problemOf(answer.response, answer.error);
  return { data: answer.data as T, response: answer.response };
}

/** Send a form with a file; `openapi-fetch` sends JSON. Throws Problem. */
export async function send<T>(path: keyof paths & string, form: FormData, query = ""): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path + query, { method: "POST", body: form });
  } catch {
    throw new Problem(0);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw problemOf(response, body);
  return body as T;
}

function problemOf(response: Response, body: unknown): Problem {
  const detail = (body as { detail?: unknown } | undefined)?.detail;
  return new Problem(
    response.status,
    typeof detail === "string" ? detail : "",
    Number(response.headers.get("Retry-After")) || 0,
  );
}
