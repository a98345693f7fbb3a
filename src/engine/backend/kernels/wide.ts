import { setFlagsFromString } from 'node:v8';
import { LAYOUT, type Kernels } from './module';

/** A V8 flag under which it makes one 256-bit operation of two neighbouring 128-bit ones when it optimises wasm. */
const FLAG = 'experimental-wasm-revectorize';
/** How much quicker the larger tiles must be to be taken; with 256 bits they are 1.5 to 2 times as quick, without 0.8. */
const WORTH_IT = 1.2;
/** V8 optimises a function once it is hot, in another thread: until then, some eight races here, both are slow and the result says nothing. */
const WARM_UP = 12;
/** Then so many won one after the other decide. */
const WINS = 3;
const MOST_ROUNDS = 30;
const LAYOUTS = [LAYOUT.plain, LAYOUT.transposed, LAYOUT.packed, LAYOUT.packedTransposed];

/**
 * Sizes of the products that are timed, and of those that are compared, which touch the borders of tiles, depths and chunks. With forty
 * rows every program of a tile is run, those for the last rows too: what is not optimised in these milliseconds gets narrow vectors later.
 */
const TIMED = { m: 40, n: 192, k: 256 };
const SHORT = { m: 40, n: 96, k: 16 };
const FEW_ROWS = { m: 8, n: 96, k: 64 };
const COMPARED = [{ m: 7, n: 33, k: 257 }, { m: 50, n: 70, k: 64 }, { m: 6, n: 16, k: 300 }, TIMED];
const MOST_VALUES = 192 * 257;

/** Whether V8 knows the flag and finds the pairs in a loop: from 13 on, where vectors of 128 bits are half of what there is. */
function mayWiden({ v8 } = process.versions, { arch, platform }: Pick<NodeJS.Process, 'arch' | 'platform'> = process): boolean {
  return Number.parseInt(v8, 10) >= 13 && arch === 'x64' && platform !== 'darwin';
}

/** Whether larger tiles can pay: with wider vectors, or with the 32 registers that arm64 has. */
export function mayPay(versions = process.versions, machine: Pick<NodeJS.Process, 'arch' | 'platform'> = process): boolean {
  return machine.arch === 'arm64' || mayWiden(versions, machine);
}

/** Rooms for the two programs to compute in. */
interface Arena {
  memory: WebAssembly.Memory;
  job: number;
  scratch: number;
  a: number;
  copyOfA: number;
  b: number;
  packed: number;
  c: number;
}

/** Bytes `takeIfQuicker` needs. */
export function arenaBytes(kernels: Kernels): number {
  return round(kernels.JOB_BYTES.value) + round(kernels.scratchBytes(0)) + 5 * round(4 * 2 * MOST_VALUES);
}

/** Does `work` while V8, if it can, makes 256-bit operations where it optimises wasm. The flag is the whole process's: let it be short. */
export async function withWideVectors<T>(work: () => Promise<T>): Promise<T> {
  if (!mayWiden()) return work();
  setFlagsFromString(`--${FLAG}`);
  try {
    return await work();
  } finally {
    setFlagsFromString(`--no-${FLAG}`);
  }
}

/**
 * Starts the program with larger tiles and says whether it is to be taken: it must be quicker here and now, and give the same
 * bits as the other. Takes some 50 ms, until V8 has optimised it. `at`: an area of `arenaBytes` in the memory that both use;
 * `now`: the time in milliseconds.
 */
export async function takeIfQuicker<T extends { kernels: Kernels }>(
  narrow: { kernels: Kernels },
  start: () => Promise<T>,
  memory: WebAssembly.Memory,
  at: number,
  now = (): number => performance.now(),
): Promise<T | undefined> {
  const wide = await start();
  const arena = laidOut(narrow.kernels, memory, at);
  for (let round = 0, wins = 0; round < MOST_ROUNDS; round++) {
    for (const layout of LAYOUTS) for (const size of [SHORT, SHORT, FEW_ROWS, FEW_ROWS]) multiply(wide.kernels, arena, size, layout);
    wins = milliseconds(narrow.kernels, arena, now) > WORTH_IT * milliseconds(wide.kernels, arena, now) ? wins + 1 : 0;
    if (round >= WARM_UP && wins >= WINS) return areEqual(narrow.kernels, wide.kernels, arena) ? wide : undefined;
    // The optimised code is put in place between two calls.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return undefined;
}

function milliseconds(kernels: Kernels, arena: Arena, now: () => number): number {
  return [LAYOUT.packed, LAYOUT.packedTransposed].reduce((sum, layout) => {
    pack(kernels, arena, TIMED, layout);
    const start = now();
    multiplyPacked(kernels, arena, TIMED, layout);
    return sum + now() - start;
  }, 0);
}

function areEqual(narrow: Kernels, wide: Kernels, arena: Arena): boolean {
  return COMPARED.every((size) =>
    LAYOUTS.every((layout) => {
      const [one, other] = [narrow, wide].map((kernels) => {
        new Uint8Array(arena.memory.buffer, arena.c, 4 * size.m * size.n).fill(255);
        multiply(kernels, arena, size, layout);
        return new Uint32Array(arena.memory.buffer.slice(arena.c, arena.c + 4 * size.m * size.n));
      });
      return one!.every((bits, i) => bits === other![i]);
    }));
}

function multiply(kernels: Kernels, arena: Arena, size: typeof TIMED, layout: number): void {
  pack(kernels, arena, size, layout);
  multiplyPacked(kernels, arena, size, layout);
}

function pack(kernels: Kernels, { b, packed }: Arena, { n, k }: typeof TIMED, layout: number): void {
  if (layout === LAYOUT.packed) kernels.pack(b, k, n, packed);
  if (layout === LAYOUT.packedTransposed) kernels.pack(b, n, k, packed);
}

/** Once B is packed, where the layout says so. */
function multiplyPacked(kernels: Kernels, { job, scratch, a, copyOfA, b, packed, c }: Arena, { m, n, k }: typeof TIMED, layout: number): void {
  const isPacked = layout === LAYOUT.packed || layout === LAYOUT.packedTransposed;
  kernels.multiply(job, scratch, copyOfA, 0, a, 0, k, isPacked ? packed : b, layout, c, 0, m, n, k, 1, 0, 0);
}

function laidOut(kernels: Kernels, memory: WebAssembly.Memory, at: number): Arena {
  let next = at;
  const room = (bytes: number): number => {
    const own = next;
    next += round(bytes);
    return own;
  };
  const matrix = 4 * 2 * MOST_VALUES;
  const arena: Arena = { memory, job: room(kernels.JOB_BYTES.value), scratch: room(kernels.scratchBytes(0)), a: room(matrix), copyOfA: room(matrix), b: room(matrix), packed: room(matrix), c: room(matrix) };
  new Uint8Array(memory.buffer, arena.job, kernels.JOB_BYTES.value).fill(0);
  for (const values of [new Float32Array(memory.buffer, arena.a, MOST_VALUES), new Float32Array(memory.buffer, arena.b, MOST_VALUES)]) {
    for (let i = 0; i < values.length; i++) values[i] = ((i * 7919) % 1000) / 500 - 1;
  }
  return arena;
}

/** Aligned to a line of the cache. */
function round(bytes: number): number {
  return (bytes + 63) & ~63;
}
