import adapter from "@sveltejs/adapter-static";
import { sveltekit } from "@sveltejs/kit/vite";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the API: `findme up` beside it. */
const api = process.env.FINDME_URL ?? "http://127.0.0.1:8000";

/** SvelteKit hides what it tells screen readers by a style attribute, which our policy forbids. */
function announcerByClass(): Plugin {
  return {
    name: "announcer-by-class",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/kit/src/runtime/components/root.svelte")) return undefined;
      const changed = code.replace(
        /(id="svelte-announcer"[^>]*?)style="[^"]*"/,
        '$1class="announcer"',
      );
      if (changed === code) throw new Error("SvelteKit's announcer is not where it was");
      return changed;
    },
  };
}

/**
 * The nodes of the page that a QR code opens are imported as SvelteKit's table of nodes is: each
 * would be a request of its own, for a file that names another.
 */
function firstPageAtOnce(): Plugin {
  return {
    name: "first-page-at-once",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/client-optimized/app.js")) return undefined;
      const found = /"\/e\/\[code\]": \[(\d+),\[([\d,]+)\]\]/.exec(code);
      if (!found) throw new Error("SvelteKit's table of routes has no /e/[code]");
      // Those of the root, and of what is shown where there is no page, come with each.
      const numbers = ["0", "1", ...(found[2] ?? "").split(","), found[1]];
      let changed = code;
      for (const number of numbers) {
        const before = changed;
        changed = changed.replace(`() => import('./nodes/${number}')`, `async () => node${number}`);
        if (changed === before) throw new Error(`SvelteKit imports node ${number} in another way`);
      }
      const imports = numbers.map(
        (number) => `import * as node${number} from './nodes/${number}';`,
      );
      return { code: `${imports.join("\n")}\n${changed}`, map: null };
    },
  };
}

/**
 * What SvelteKit's start gives its settings to before it asks for anything that reads them: in one
 * file with those they would be read too early, as none (`finish-build.js` looks that they are not).
 */
const START = {
  name: "start",
  test: /runtime\/client\/payload\.js$|vite\/preload-helper|rolldown\/runtime/,
  priority: 2,
};

/**
 * What a QR code opens, in one file with all that it needs: in some thirty small ones it takes more
 * than a second of a mobile network, by the way there and back for each.
 */
const FIRST_PAGE = {
  name: "first-page",
  // SvelteKit's client, and its table of nodes with those that it imports at once.
  test: /\/runtime\/client\/client-entry\.js$|\/client-optimized\/app\.js$/,
  priority: 1,
};

export default defineConfig({
  plugins: [
    announcerByClass(),
    firstPageAtOnce(),
    sveltekit({
      adapter: adapter({ fallback: "index.html", precompress: false }),
      // Guests' pages do, once somebody has joined.
      serviceWorker: { register: false },
    }),
  ],
  // A picture inside of a style sheet would need `data:` in the policy.
  build: {
    assetsInlineLimit: 0,
    // What jsPDF would load for HTML and SVG, which nobody gives it.
    rolldownOptions: { external: ["html2canvas", "dompurify", "canvg"] },
  },
  environments: {
    client: {
      build: { rolldownOptions: { output: { codeSplitting: { groups: [START, FIRST_PAGE] } } } },
    },
  },
  server: { proxy: { "/api": { target: api, changeOrigin: false } } },
  // A document takes longer than most tests: those that draw in one, or run what is compiled for
  // browsers, name `happy-dom`.
  test: { environment: "node", include: ["src/**/*.test.ts"] },
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
});
