// A guest's way through the API, in the types that are made of its OpenAPI document:
//
//   findme openapi | npx openapi-typescript -o api.d.ts && npx tsc
//
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type Photo = components["schemas"]["GuestPhoto"];

const api = createClient<paths>({ baseUrl: "https://photos.example.org" });

export async function photosOf(username: string, password: string): Promise<Photo[]> {
  const login = await api.POST("/api/login", { body: { username, password } });
  if (!login.data) {
    // Every error is a sentence for people, or a list of what is not as it should be.
    const detail = login.error.detail;
    throw new Error(typeof detail === "string" ? detail : detail.map((one) => one.msg).join("; "));
  }
  const headers = { Authorization: `Bearer ${login.data.access_token}` };
  const photos = await api.GET("/api/my-photos", { headers, params: { query: { limit: 50 } } });
  return photos.data ?? [];
}

export async function isMatched(headers: Record<string, string>): Promise<boolean> {
  const { data: matching } = await api.GET("/api/rematch-status", { headers });
  if (matching?.status === "failed") throw new Error(matching.error);
  return matching?.status === "done" && matching.matched > 0;
}

export function caption(photo: Photo): string {
  const size = photo.width === null ? "" : `, ${photo.width} × ${photo.height}`;
  return `${photo.event_name}: ${photo.original_filename}${size}`;
}
