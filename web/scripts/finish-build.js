// After Vite: the shell names what a guest's first page is made of, which has a budget; all files
// are compressed once and for all.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const BUILD = "build";
const MANIFEST = ".svelte-kit/output/client/.vite/manifest.json";
const COMPRESSED = new Set([".html", ".js", ".css", ".svg", ".json", ".webmanifest"]);
/** JavaScript of the page that a QR code opens, gzip: half of it comes within a second on 4G. */
const FIRST_PAGE_BYTES = 90 * 1024;

const chunks = JSON.parse(readFileSync(MANIFEST, "utf8"));
const firstPage = chunksOfFirstPage();

checkStart();
checkFirstPage();
nameFirstPage();
compress(BUILD);

/**
 * Fail where what SvelteKit's start needs holds what reads its settings: the version, read before it
 * is set, is no version, so that each page of an error is taken for one of an old release, and is
 * loaded again without end.
 */
function checkStart() {
  const start = find(({ name }) => name === "entry/start");
  if (closure([start]).has(find(({ name }) => name === "first-page")))
    throw new Error(`${chunks[start].file} reads the settings before it has them (vite.config.ts)`);
}

/** Fail where the first page loads more JavaScript than its budget. */
function checkFirstPage() {
  // Both catalogues of words are in the sum, of which a guest reads one.
  const sizes = firstPage
    .map((name) => chunks[name].file)
    .map((file) => [gzipSync(readFileSync(join(BUILD, file))).length, file]);
  const sum = sizes.reduce((all, [size]) => all + size, 0);
  console.log(`first page: ${(sum / 1024).toFixed(1)} KB of JavaScript, gzip`);
  if (sum > FIRST_PAGE_BYTES) {
    const largest = sizes.sort(([a], [b]) => b - a).slice(0, 8);
    throw new Error(`the first page loads ${sum} bytes of JavaScript:\n${largest.join("\n")}`);
  }
}

/**
 * Have the shell name all that a guest's first page is made of: browsers ask for it at once, six
 * files at a time, instead of as each file names the next. What is needed last comes last.
 */
function nameFirstPage() {
  const shell = join(BUILD, "index.html");
  const html = readFileSync(shell, "utf8");
  const links = /[^\S\n]*<link href="[^"]*" rel="(modulepreload|stylesheet)">\n?/g;
  const isWords = (name) => name.startsWith("src/lib/i18n/");
  const size = (name) => statSync(join(BUILD, chunks[name].file)).size;
  const order = (one, other) => isWords(one) - isWords(other) || size(other) - size(one);
  const scripts = firstPage.toSorted(order).map((name) => chunks[name].file);
  const styles = new Set(firstPage.flatMap((name) => chunks[name].css ?? []));
  const named = [
    ...[...styles].map((file) => `<link href="/${file}" rel="stylesheet">`),
    ...scripts.map((file) => `<link href="/${file}" rel="modulepreload">`),
  ];
  if ((html.match(links)?.length ?? 0) < 2) throw new Error(`${shell} names no files`);
  const head = html.replace(links, "").replace("</head>", () => `${named.join("\n")}\n</head>`);
  writeFileSync(shell, head);
}

/** Keys of the manifest: SvelteKit's start, the page with what it needs, and its words. */
function chunksOfFirstPage() {
  const entries = ["entry/start", "entry/app"].map((one) => find(({ name }) => name === one));
  return [...closure([...entries, "src/lib/i18n/en.ts", "src/lib/i18n/fr.ts"])];
}

function find(isIt) {
  const [name] = Object.entries(chunks).find(([, chunk]) => isIt(chunk)) ?? [];
  if (name === undefined) throw new Error(`${MANIFEST} has nothing for which ${isIt}`);
  return name;
}

/** The chunks, and what they import, and so on. */
function closure(names, found = new Set()) {
  for (const name of names) {
    if (found.has(name)) continue;
    if (!chunks[name]) throw new Error(`${MANIFEST} has no ${name}`);
    found.add(name);
    closure(chunks[name].imports ?? [], found);
  }
  return found;
}

function compress(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) compress(path);
    else if (COMPRESSED.has(extname(name))) {
      const bytes = readFileSync(path);
      const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
      writeFileSync(`${path}.br`, brotliCompressSync(bytes, options));
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    }
  }
}
