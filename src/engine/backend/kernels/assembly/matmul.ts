/**
 * Matrix products in the wasm backend's own memory, in AssemblyScript: C = op(A)·op(B) + bias, all float32 and row-major.
 *
 * As in any fast matrix product, the operands are first copied into the order in which the innermost loop reads them:
 * A in panels of ROWS rows, B in panels of COLUMNS columns, 256 of the inner dimension at a time. The innermost loop then
 * keeps a tile of C in vector registers: that of tileNarrow.ts, in whose place the build puts tileWide.ts for one variant. Sizes
 * were tried out, not derived (docs/decisions/0006-own-wasm-kernels.md).
 *
 * Several threads take chunks of one product from a shared counter. This module keeps no data of its own: `job` and the
 * scratch areas are allocated by the caller in the imported memory.
 */

import { ACROSS_CHUNK, acrossBytes, acrossColumns, acrossCopy, acrossPanels } from './across';
import { copyAcross, copyAlong } from './copies';
import { COLUMNS, copyColumns, ROWS, tile } from './tileNarrow';

/** Of a panel of a packed matrix. */
export { COLUMNS };

const ROW_BYTES: usize = COLUMNS * 4;
const COLUMN_BYTES: usize = ROWS * 4;
/** Of the inner dimension, copied at a time: what is copied of B stays in the nearest caches. */
const DEPTH: i32 = 256;
/** Columns of C that are one thread's piece of work. */
const CHUNK: i32 = 32;

// A thread's scratch: a tile at the border of C, a bias at the border, a chunk of B or of C across (across.ts, which takes less), and for small products A.
const TILE: usize = 0;
const BIAS: usize = 512;
const B_COPY: usize = 1024;
const A_COPY: usize = B_COPY + DEPTH * CHUNK * 4;

/** Bytes of scratch that each thread needs for products of a batch whose A has up to `smallA` bytes, rows rounded up to ROWS. */
export function scratchBytes(smallA: usize): usize {
  return A_COPY + smallA;
}

/** Fields of a job, in bytes. */
// Counts the jobs; threads sleep on it.
const SEQUENCE: usize = 0;
// The number of the job that may be joined, 0 when none may.
const OPEN: usize = 4;
// Threads that are looking at the job.
const ACTIVE: usize = 8;
const STOP: usize = 12;
const NEXT_COPY: usize = 16;
const COPIED: usize = 20;
const NEXT: usize = 24;
const DONE: usize = 28;
const CHUNKS: usize = 32;
const A: usize = 36;
const A_ROW: usize = 40;
const A_TRANSPOSED: usize = 44;
const B: usize = 48;
const B_ROW: usize = 52;
const B_LAYOUT: usize = 56;
const C: usize = 60;
const BIAS_AT: usize = 64;
const M: usize = 68;
const N: usize = 72;
const K: usize = 76;
const BATCH: usize = 80;
const A_STEP: usize = 84;
const B_STEP: usize = 88;
const SHARED_A: usize = 92;
export const JOB_BYTES: usize = 96;

/** Fills `rows` rows of a tile of C with the bias, or zeros. */
function begin(c: usize, row: usize, rows: i32, bias: usize): void {
  const zero = f32x4.splat(0);
  for (let r = 0; r < rows; r++) {
    for (let at: usize = 0; at < ROW_BYTES; at += 16) v128.store(c + at, bias ? v128.load(bias + at) : zero);
    c += row;
  }
}

/** `copyAlong` of a whole chunk: row by row, since a column of a wide matrix falls into few sets of the cache. */
function copyChunk(from: usize, row: usize, depth: i32, to: usize): void {
  const step = <usize>depth * ROW_BYTES;
  for (let i = 0; i < depth; i++) {
    let at = to;
    let source = from;
    for (let j = 0; j < CHUNK; j += COLUMNS) {
      copyColumns(source, at);
      source += ROW_BYTES;
      at += step;
    }
    from += row;
    to += ROW_BYTES;
  }
}

/** Layouts of B. */
const PLAIN: i32 = 0;
const TRANSPOSED: i32 = 1;
const PACKED: i32 = 2;
const PACKED_TRANSPOSED: i32 = 3;

/**
 * Matrix [rows, columns] to packed layout: panels of COLUMNS columns, each [rows][COLUMNS], the last one filled up with zeros. A weight
 * is kept so: the innermost loop reads it as it stands, where a plain one would have to be copied for every product, and
 * with some 40 rows in A copying takes a third of the time.
 */
export function pack(from: usize, rows: i32, columns: i32, to: usize): void {
  for (let first = 0; first < columns; first += COLUMNS) {
    copyAlong(from + (<usize>first << 2), <usize>columns << 2, rows, columns - first, to + <usize>first * <usize>rows * 4, COLUMNS);
  }
}

/** Bytes of the copy of A [m, k]. */
export function copyBytes(m: i32, k: i32, layout: i32): i32 {
  return layout === PACKED_TRANSPOSED ? acrossBytes(m, k) : ((m + ROWS - 1) / ROWS) * ROWS * k * 4;
}

/** Copies panel number `panel` of A. */
function copyA(a: usize, row: usize, transposed: bool, m: i32, k: i32, panel: i32, to: usize): void {
  const first = panel * ROWS;
  const at = to + <usize>panel * <usize>k * COLUMN_BYTES;
  if (transposed) copyAlong(a + (<usize>first << 2), row, k, m - first, at, ROWS);
  else copyAcross(a + <usize>first * row, row, k, m - first, at, ROWS);
}

/** Columns [from, to) of one product, at most a chunk. `a` is the copy. */
function columns(a: usize, b: usize, bRow: usize, layout: i32, c: usize, bias: usize, m: i32, n: i32, k: i32, from: i32, to: i32, scratch: usize): void {
  const panels = (m + ROWS - 1) / ROWS;
  const row = <usize>n << 2;
  for (let start = 0; start < k; start += DEPTH) {
    const depth = min(DEPTH, k - start);
    const more = start > 0;
    const copy = scratch + B_COPY;
    if (layout === PLAIN && to - from === CHUNK) {
      copyChunk(b + <usize>start * bRow + (<usize>from << 2), bRow, depth, copy);
    } else if (layout !== PACKED) {
      for (let j = from; j < to; j += COLUMNS) {
        const at = copy + <usize>(j - from) * <usize>depth * 4;
        if (layout === TRANSPOSED) copyAcross(b + <usize>j * bRow + (<usize>start << 2), bRow, depth, to - j, at, COLUMNS);
        else copyAlong(b + <usize>start * bRow + (<usize>j << 2), bRow, depth, to - j, at, COLUMNS);
      }
    }
    for (let j = from; j < to; j += COLUMNS) {
      const bPanel = layout === PACKED ? b + <usize>(j / COLUMNS) * bRow + <usize>start * ROW_BYTES : copy + <usize>(j - from) * <usize>depth * 4;
      const width = min(COLUMNS, to - j);
      let biasAt: usize = bias ? bias + (<usize>j << 2) : 0;
      if (bias && width < COLUMNS) {
        memory.copy(scratch + BIAS, biasAt, <usize>width << 2);
        biasAt = scratch + BIAS;
      }
      for (let panel = 0; panel < panels; panel++) {
        const height = min(ROWS, m - panel * ROWS);
        const aPanel = a + <usize>panel * <usize>k * COLUMN_BYTES + <usize>start * COLUMN_BYTES;
        const at = c + <usize>(panel * ROWS) * row + (<usize>j << 2);
        if (height === ROWS && width === COLUMNS) {
          if (!more) begin(at, row, ROWS, biasAt);
          tile(aPanel, bPanel, depth, at, row);
        } else {
          const bytes = <usize>width << 2;
          begin(scratch + TILE, ROW_BYTES, ROWS, biasAt);
          if (more) for (let r = 0; r < height; r++) memory.copy(scratch + TILE + <usize>r * ROW_BYTES, at + <usize>r * row, bytes);
          tile(aPanel, bPanel, depth, scratch + TILE, ROW_BYTES);
          for (let r = 0; r < height; r++) memory.copy(at + <usize>r * row, scratch + TILE + <usize>r * ROW_BYTES, bytes);
        }
      }
    }
  }
}

/** Looks at a field before a thread that waits for others lets them have its core. */
const LOOKS_AT_OTHERS: i32 = 5000;
const PAUSE_NS: i64 = 200_000;

/** Waits until a field that others change has this value. On a busy machine they may need this thread's core to get there. */
function waitUntil(job: usize, field: usize, value: i32): void {
  for (let looks = 0; ; looks++) {
    const now = atomic.load<i32>(job + field);
    if (now === value) return;
    if (looks > LOOKS_AT_OTHERS) atomic.wait<i32>(job + field, now, PAUSE_NS);
  }
}

function chunkOf(layout: i32): i32 {
  return layout === PACKED_TRANSPOSED ? ACROSS_CHUNK : CHUNK;
}

/** Takes pieces of the job until none is left. A single product is cut by columns, a batch by its items. */
function work(job: usize, scratch: usize): void {
  const a = <usize>load<i32>(job, A), aRow = <usize>load<i32>(job, A_ROW), aTransposed = load<i32>(job, A_TRANSPOSED) !== 0;
  const b = <usize>load<i32>(job, B), bRow = <usize>load<i32>(job, B_ROW), layout = load<i32>(job, B_LAYOUT);
  const c = <usize>load<i32>(job, C), bias = <usize>load<i32>(job, BIAS_AT);
  const m = load<i32>(job, M), n = load<i32>(job, N), k = load<i32>(job, K), batch = load<i32>(job, BATCH);
  const panels = (m + ROWS - 1) / ROWS;
  const chunks = load<i32>(job, CHUNKS);
  if (batch === 1) {
    const shared = <usize>load<i32>(job, SHARED_A);
    const isAcross = layout === PACKED_TRANSPOSED;
    const copies = isAcross ? acrossPanels(m) : panels;
    for (let panel = atomic.add<i32>(job, 1, NEXT_COPY); panel < copies; panel = atomic.add<i32>(job, 1, NEXT_COPY)) {
      if (isAcross) acrossCopy(a, aRow, aTransposed, m, k, panel, shared);
      else copyA(a, aRow, aTransposed, m, k, panel, shared);
      atomic.add<i32>(job, 1, COPIED);
    }
    waitUntil(job, COPIED, copies);
    const size = chunkOf(layout);
    for (let chunk = atomic.add<i32>(job, 1, NEXT); chunk < chunks; chunk = atomic.add<i32>(job, 1, NEXT)) {
      const from = chunk * size;
      const to = min(n, from + size);
      if (isAcross) acrossColumns(shared, b, bRow, c, bias, m, n, k, from, to, scratch + B_COPY);
      else columns(shared, b, bRow, layout, c, bias, m, n, k, from, to, scratch);
      atomic.add<i32>(job, 1, DONE);
    }
  } else {
    const aStep = <usize>load<i32>(job, A_STEP), bStep = <usize>load<i32>(job, B_STEP), cStep = <usize>m * <usize>n * 4;
    for (let item = atomic.add<i32>(job, 1, NEXT); item < chunks; item = atomic.add<i32>(job, 1, NEXT)) {
      const own = scratch + A_COPY;
      for (let panel = 0; panel < panels; panel++) copyA(a + <usize>item * aStep, aRow, aTransposed, m, k, panel, own);
      for (let j = 0; j < n; j += CHUNK) {
        columns(own, b + <usize>item * bStep, bRow, layout, c + <usize>item * cStep, bias, m, n, k, j, min(n, j + CHUNK), scratch);
      }
      atomic.add<i32>(job, 1, DONE);
    }
  }
}

/**
 * C[batch, m, n] = op(A)·op(B) + bias. A is [m, k] (transposed: [k, m]) with `aRow` values from row to row, B is [k, n], by its
 * layout transposed ([n, k]) or packed, which a batch's may not be; `aStep` and `bStep` are the bytes between the items of a
 * batch, 0 where all share one. `sharedA`: `copyBytes` of room for a copy of A, read by a single product; a batch has it in its
 * scratch. `shared`: other threads are woken to help.
 */
export function multiply(
  job: usize, scratch: usize, sharedA: usize, shared: bool,
  a: usize, aTransposed: bool, aRow: i32, b: usize, layout: i32, c: usize, bias: usize,
  m: i32, n: i32, k: i32, batch: i32, aStep: usize, bStep: usize,
): void {
  store<i32>(job, <i32>a, A); store<i32>(job, aRow << 2, A_ROW); store<i32>(job, aTransposed, A_TRANSPOSED);
  store<i32>(job, <i32>b, B); store<i32>(job, layout, B_LAYOUT);
  // Of a packed B: from panel to panel.
  store<i32>(job, layout === PLAIN ? n << 2 : layout === TRANSPOSED ? k << 2 : (layout === PACKED ? k : n) * COLUMNS * 4, B_ROW);
  store<i32>(job, <i32>c, C); store<i32>(job, <i32>bias, BIAS_AT);
  store<i32>(job, m, M); store<i32>(job, n, N); store<i32>(job, k, K);
  store<i32>(job, batch, BATCH); store<i32>(job, <i32>aStep, A_STEP); store<i32>(job, <i32>bStep, B_STEP);
  store<i32>(job, <i32>sharedA, SHARED_A);
  const size = chunkOf(layout);
  const chunks = batch === 1 ? (n + size - 1) / size : batch;
  store<i32>(job, chunks, CHUNKS);
  store<i32>(job, 0, NEXT_COPY); store<i32>(job, 0, COPIED); store<i32>(job, 0, NEXT); store<i32>(job, 0, DONE);
  if (shared) {
    const sequence = atomic.load<i32>(job, SEQUENCE) + 1;
    atomic.store<i32>(job, sequence, OPEN);
    atomic.store<i32>(job, sequence, SEQUENCE);
    atomic.notify(job + SEQUENCE, -1);
  }
  work(job, scratch);
  waitUntil(job, DONE, chunks);
  if (shared) {
    // A thread that came late may still be looking: it must be gone before the fields change.
    atomic.store<i32>(job, 0, OPEN);
    waitUntil(job, ACTIVE, 0);
  }
}

/** Looks at SEQUENCE before a thread goes to sleep. A hundred times as many brought nothing that could be told from noise, and would keep a core from others. */
const LOOKS: i32 = 20000;

/** What a helping thread does, until `stop`. */
export function help(job: usize, scratch: usize): void {
  let seen = 0;
  for (;;) {
    let looks = 0;
    while (atomic.load<i32>(job, SEQUENCE) === seen && looks < LOOKS) looks++;
    if (looks === LOOKS) {
      atomic.wait<i32>(job + SEQUENCE, seen, -1);
      if (atomic.load<i32>(job, SEQUENCE) === seen) continue;
    }
    seen = atomic.load<i32>(job, SEQUENCE);
    if (atomic.load<i32>(job, STOP)) return;
    atomic.add<i32>(job, 1, ACTIVE);
    if (atomic.load<i32>(job, OPEN) === seen) work(job, scratch);
    atomic.sub<i32>(job, 1, ACTIVE);
  }
}

/** Ends the helping threads. */
export function stop(job: usize): void {
  atomic.store<i32>(job, 1, STOP);
  atomic.add<i32>(job, 1, SEQUENCE);
  atomic.notify(job + SEQUENCE, -1);
}
