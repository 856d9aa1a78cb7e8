import { createContext } from "svelte";
import type { StudioEvent } from "./event.svelte.ts";
import type { Studio } from "./studio.svelte.ts";

/** Who is signed in, and all of their events: for the pages below `/studio`. */
export const [studioOf, setStudio] = createContext<Studio>();

/** The event that the pages below `/studio/events/{id}` are about. */
export const [eventOf, setEvent] = createContext<() => StudioEvent>();
