/** Signing in and out of the studio; the session is a cookie. All throw Problem. */
import { api, ask, type Account } from "#lib/api/client.ts";

/** What the server says of another present password than the account's. */
export const WRONG_PASSWORD = "The current password is wrong.";

export function signIn(username: string, password: string): Promise<unknown> {
  return ask(api.POST("/api/login", { body: { username, password } }));
}

export async function signOut(): Promise<void> {
  await ask(api.POST("/api/logout", { body: { all: false } }));
}

export function whoAmI(): Promise<Account> {
  return ask(api.GET("/api/me"));
}

/** Whether people may sign in by their organisation's login. */
export async function hasProvider(): Promise<boolean> {
  return (await ask(api.GET("/api/oidc"))).is_offered;
}

export async function askForNewPassword(email: string): Promise<void> {
  await ask(api.POST("/api/password-reset/request", { body: { email } }));
}

export async function changePassword(current: string, next: string): Promise<void> {
  await ask(api.POST("/api/me/password", { body: { current, new: next } }));
}

/** Where to go on after signing in: a page of those who run events, whatever a link says. */
export function wayOn(next: string | null): string {
  return next && /^\/(studio|admin)(\/[\w/-]*)?$/.test(next) ? next : "/studio";
}

export function loginPage(from: string): string {
  return `/studio/login?next=${encodeURIComponent(from)}`;
}
