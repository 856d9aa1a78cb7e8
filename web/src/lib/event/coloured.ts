import { accentOf } from "./accent.ts";

/** Give the page an event's colour, by night another than by day; returns what takes it back. */
export function coloured(colour: string): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const { style } = document.documentElement;
  const paint = (): void => {
    const found = accentOf(colour, dark.matches ? "dark" : "light");
    if (!found) return;
    style.setProperty("--accent", found.accent);
    style.setProperty("--on-accent", found.onAccent);
  };
  paint();
  dark.addEventListener("change", paint);
  return () => {
    dark.removeEventListener("change", paint);
    style.removeProperty("--accent");
    style.removeProperty("--on-accent");
  };
}
