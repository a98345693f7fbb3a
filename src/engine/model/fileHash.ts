import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';

export interface FileHash {
  /** SHA-256 of all bytes of the file, in hexadecimal. Rejects when it cannot be read. */
  done: Promise<string>;
  /** Ends the thread, whether it is done or not. */
  stop(): Promise<void>;
}

/** As source text, so that it needs no file of its own beside every bundle. Two pieces: one is hashed while the next is read. */
const SCRIPT = `
const { createHash } = require('node:crypto');
const { open } = require('node:fs/promises');
const { parentPort, workerData } = require('node:worker_threads');
(async () => {
  const file = await open(workerData, 'r');
  const hash = createHash('sha256');
  const pieces = [new Uint8Array(1 << 20), new Uint8Array(1 << 20)];
  let reading = file.read(pieces[0], 0, pieces[0].length);
  for (let turn = 1; ; turn++) {
    const { bytesRead, buffer } = await reading;
    if (bytesRead === 0) break;
    const next = pieces[turn % 2];
    reading = file.read(next, 0, next.length);
    hash.update(buffer.subarray(0, bytesRead));
  }
  await file.close();
  parentPort.postMessage(hash.digest('hex'));
})().catch((error) => { setImmediate(() => { throw error; }); });
`;

/** From this many bytes on, hashing takes longer than starting a thread for it. */
const WORTH_A_THREAD = 32 << 20;

/** Hashes a file while others compute: a large one, of which GPT-2 small's takes half a second, in a thread of its own. */
export function startFileHash(file: string, size: number): FileHash {
  const hash = size < WORTH_A_THREAD ? hashHere(file) : hashInThread(file);
  // Who stops it early does not wait for it.
  hash.done.catch(() => undefined);
  return hash;
}

function hashHere(file: string): FileHash {
  const abort = new AbortController();
  const hash = createHash('sha256');
  const done = pipeline(createReadStream(file), hash, { signal: abort.signal }).then(() => hash.digest('hex'));
  return { done, stop: async () => abort.abort() };
}

function hashInThread(file: string): FileHash {
  const worker = new Worker(SCRIPT, { eval: true, workerData: file, execArgv: [], name: 'circuit-explorer checkpoint hash' });
  const done = new Promise<string>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error(`The thread that hashes "${file}" ended before it was done.`)));
  });
  return { done, stop: async () => void (await worker.terminate()) };
}
