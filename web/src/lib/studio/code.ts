/** Codes that events are joined by, as they are suggested and judged before the server does. */

/** Without what is taken for something else on paper: O 0, I L 1. */
const ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
const LETTERS_OF_NAME = 6;
/** Nobody guesses an event by its name alone. */
const RANDOM_CHARACTERS = 4;
const SHORTEST = 6;
const LONGEST = 64;

/** Return a code that reminds of the event's name, with a random end. */
export function suggestCode(name: string, random: (below: number) => number = randomBelow): string {
  const word = plainLetters(name).slice(0, LETTERS_OF_NAME);
  const missing = Math.max(RANDOM_CHARACTERS, 8 - word.length);
  return word + Array.from({ length: missing }, () => ALPHABET[random(ALPHABET.length)]).join("");
}

/** Return the code as it is sent: without white space, in upper case. */
export function tidyCode(code: string): string {
  return code.normalize("NFKC").replace(/\s/g, "").toUpperCase();
}

export function isCode(code: string): boolean {
  return new RegExp(`^[A-Z0-9]{${SHORTEST},${LONGEST}}$`).test(tidyCode(code));
}

/** The first word with something to it: "The Gala" is a gala. */
function plainLetters(name: string): string {
  const words = name
    .normalize("NFD")
    .toUpperCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .map((word) => word.replace(/[^A-Z0-9]/g, ""))
    .filter(Boolean);
  return words.find((word) => word.length > 3) ?? words[0] ?? "";
}

function randomBelow(below: number): number {
  const [value] = crypto.getRandomValues(new Uint32Array(1));
  return (value ?? 0) % below;
}
