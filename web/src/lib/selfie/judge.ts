import { Problem, send } from "#lib/api/client.ts";
import { say } from "#lib/api/say.ts";
import { t } from "#lib/i18n/words.svelte.ts";
import answers from "./answers.json";

type Answer = keyof ReturnType<typeof t>["selfie"]["answers"];
const KEYS = answers as Record<string, Answer>;

/** Why a selfie is refused, in the reader's language; what we have no words for is said as it is. */
export function refusal(problem: unknown): string {
  if (!(problem instanceof Problem)) return say(problem);
  if (problem.status === 413) return t().selfie.answers.large;
  if (problem.status !== 400) return say(problem);
  // Amounts are settings.
  const key = KEYS[problem.detail.replace(/\d+/g, "N")];
  return key ? t().selfie.answers[key] : problem.detail || t().selfie.answers.unreadable;
}

/** Ask whether a picture can serve as a selfie. Throws Problem. */
export async function judge(picture: Blob): Promise<void> {
  const form = new FormData();
  form.append("file", picture, "selfie.jpg");
  await send("/api/validate-selfie", form);
}
