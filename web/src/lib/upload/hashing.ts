/** Asks the worker for digests. */

interface Answer {
  id: number;
  digest?: string;
}

let worker: Worker | undefined;
let next = 1;
const asked = new Map<number, { resolve: (digest: string) => void; reject: () => void }>();

/** Return the file's SHA-256 in hexadecimal digits. Rejects where it cannot be read. */
export function hash(file: Blob): Promise<string> {
  worker ??= started();
  const id = next++;
  return new Promise((resolve, reject) => {
    asked.set(id, { resolve, reject: () => reject(new Error("the file cannot be read")) });
    worker?.postMessage({ id, file });
  });
}

function started(): Worker {
  const made = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
    const one = asked.get(data.id);
    asked.delete(data.id);
    if (data.digest) one?.resolve(data.digest);
    else one?.reject();
  });
  return made;
}
