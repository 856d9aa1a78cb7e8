import { createContext } from "svelte";
import type { Visit } from "./visit.svelte.ts";

/** The visit that the pages below `/e/{code}` share. */
export const [visitOf, setVisit] = createContext<() => Visit>();
