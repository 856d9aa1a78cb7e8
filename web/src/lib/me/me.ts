/** What a guest has here, changes and takes away. */
import {
  api,
  ask,
  send,
  type DeletedAccount,
  type OwnAccount,
  type Selfie,
} from "#lib/api/client.ts";

export interface Mine {
  account: OwnAccount;
  selfies: Selfie[];
}

export async function loadMine(): Promise<Mine> {
  const [account, selfies] = await Promise.all([
    ask(api.GET("/api/me/settings")),
    ask(api.GET("/api/my-selfies")),
  ]);
  return { account, selfies };
}

export async function addSelfie(picture: Blob): Promise<void> {
  const form = new FormData();
  form.append("file", picture, "selfie.jpg");
  await send("/api/upload-selfie", form, "?add=true");
}

export async function deleteSelfie(id: number): Promise<void> {
  await ask(api.DELETE("/api/my-selfies/{selfie_id}", { params: { path: { selfie_id: id } } }));
}

export function change(body: {
  email?: string;
  wants_news?: boolean;
  language?: "en" | "fr";
}): Promise<OwnAccount> {
  return ask(api.PUT("/api/me", { body }));
}

/** A link that opens the account elsewhere, once: at the origin that this device came by. */
export async function linkForDevice(): Promise<string> {
  const { link } = await ask(api.POST("/api/me/link", { body: { by_mail: false } }));
  const made = new URL(link ?? "", location.href);
  return location.origin + made.pathname + made.search + made.hash;
}

export async function logOut(): Promise<void> {
  await ask(api.POST("/api/logout", { body: { all: false } }));
}

export function deleteEverything(password: string): Promise<DeletedAccount> {
  return ask(api.DELETE("/api/me", { body: password ? { password } : {} }));
}
