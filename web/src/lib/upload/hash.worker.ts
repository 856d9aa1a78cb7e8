/** SHA-256 of files, beside the page: by the browser where it offers that, else in JavaScript. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** Larger files are read in pieces. */
const AT_ONCE_BYTES = 64 * 1024 * 1024;

addEventListener("message", ({ data }: MessageEvent<{ id: number; file: Blob }>) => {
  digestOf(data.file).then(
    (digest) => postMessage({ id: data.id, digest }),
    () => postMessage({ id: data.id }),
  );
});

async function digestOf(file: Blob): Promise<string> {
  // Browsers offer it to pages that came by TLS, or from the same machine.
  const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (subtle && file.size <= AT_ONCE_BYTES) {
    return bytesToHex(new Uint8Array(await subtle.digest("SHA-256", await file.arrayBuffer())));
  }
  const hash = sha256.create();
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytesToHex(hash.digest());
    hash.update(value);
  }
}
