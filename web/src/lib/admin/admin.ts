/** What admins ask and do. All throw Problem. */
import { api, ask, askWhole, type AuditEntry, type DeadLetter } from "#lib/api/client.ts";
import { nextCursor } from "#lib/gallery/api.ts";

export interface PageOf<T> {
  rows: T[];
  cursor: number | null;
}

const LIMIT = 50;

export const situation = () => ask(api.GET("/api/admin/situation"));
export const people = () => ask(api.GET("/api/admin/people"));
export const events = () => ask(api.GET("/api/admin/events"));
export const costs = () => ask(api.GET("/api/admin/aws-usage"));
export const queueStats = () => ask(api.GET("/api/admin/queue/stats"));
export const logins = () => ask(api.GET("/api/sessions"));

export async function letters(cursor: number | null): Promise<PageOf<DeadLetter>> {
  return paged(
    askWhole(
      api.GET("/api/admin/dead-letters", {
        params: { query: { limit: LIMIT, ...(cursor && { cursor }) } },
      }),
    ),
  );
}

export async function failedPhotos(cursor: number | null) {
  return paged(
    askWhole(
      api.GET("/api/admin/failed-photos", {
        params: { query: { limit: LIMIT, ...(cursor && { cursor }) } },
      }),
    ),
  );
}

export async function audit(cursor: number | null): Promise<PageOf<AuditEntry>> {
  return paged(
    askWhole(
      api.GET("/api/admin/audit", {
        params: { query: { limit: LIMIT, ...(cursor && { cursor }) } },
      }),
    ),
  );
}

export const letter = (id: number) =>
  ask(api.GET("/api/admin/dead-letters/{letter_id}", { params: { path: { letter_id: id } } }));

export const replayAll = () => ask(api.POST("/api/admin/dead-letters/replay", { body: {} }));

export const replay = (id: number) =>
  ask(
    api.POST("/api/admin/dead-letters/{letter_id}/replay", {
      params: { path: { letter_id: id } },
    }),
  );

export const drop = (id: number) =>
  ask(api.DELETE("/api/admin/dead-letters/{letter_id}", { params: { path: { letter_id: id } } }));

export const clearCache = () => ask(api.POST("/api/admin/cache/clear"));

export const logOutEverywhere = (id: number) =>
  ask(api.POST("/api/admin/people/{user_id}/logout", { params: { path: { user_id: id } } }));

export const endLogin = (id: string) =>
  ask(api.DELETE("/api/sessions/{session_id}", { params: { path: { session_id: id } } }));

export interface NewPerson {
  username: string;
  email: string;
  password: string;
}

export const addPerson = (role: "photographer" | "admin", body: NewPerson) =>
  ask(
    role === "admin"
      ? api.POST("/api/admin/create-admin", { body })
      : api.POST("/api/admin/create-photographer", { body }),
  );

export const setActive = (id: number, isActive: boolean) =>
  ask(
    api.PUT("/api/admin/photographers/{user_id}", {
      params: { path: { user_id: id } },
      body: { is_active: isActive },
    }),
  );

async function paged<T>(asked: Promise<{ data: T[]; response: Response }>): Promise<PageOf<T>> {
  const { data, response } = await asked;
  const cursor = nextCursor(response.headers.get("Link"));
  return { rows: data, cursor: cursor === null ? null : Number(cursor) };
}
