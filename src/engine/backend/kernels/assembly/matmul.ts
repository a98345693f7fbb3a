/**
 * Matrix products in the wasm backend's own memory, in AssemblyScript: C = op(A)·op(B) + bias, all float32 and row-major.
 *
 * As in any fast matrix product, the operands are first copied into the order in which the innermost loop reads them:
 * A in panels of ROWS rows, or SHORT_ROWS at its end, B in panels of COLUMNS columns, 256 of the inner dimension at a time. The innermost loop then
 * keeps a tile of C in vector registers: that of tileNarrow.ts, in whose place the build puts tileWide.ts for one variant. Sizes
 * were tried out, not derived (docs/decisions/0006-own-wasm-kernels.md).
 *
 * Several threads take chunks of one product (jobs.ts). The scratch areas are allocated by the caller in the imported memory.
 */

import { ACROSS_CHUNK, acrossBytes, acrossColumns, acrossCopy, acrossPanels } from './across';
import { copyAcross, copyAlong } from './copies';
import { nextPiece, OWN_FIELDS, pieceIsDone, PRODUCT, waitUntil } from './jobs';
import { COLUMNS, copyColumns, ROWS, SHORT_ROWS, tile, tileShort } from './tileNarrow';
import { runJob } from './work';

const ROW_BYTES: usize = COLUMNS * 4;
/** Of the inner dimension, copied at a time: what is copied of B stays in the nearest caches. */
const DEPTH: i32 = 256;
/** Columns of C that are one thread's piece of work. */
const CHUNK: i32 = 32;
/** Likewise where B is packed and nothing of it is copied: the smaller, the shorter does one thread wait for another's last piece. */
const PACKED_CHUNK: i32 = 16;

// A thread's scratch: a tile at the border of C, a bias at the border, a chunk of B or of C across (across.ts: 30 of 32 kB), and for small products A.
const TILE: usize = 0;
const BIAS: usize = 512;
const B_COPY: usize = 1024;
const A_COPY: usize = B_COPY + DEPTH * CHUNK * 4;

/** Bytes of scratch that each thread needs for products of a batch whose A has up to `smallA` `copyBytes`. */
export function scratchBytes(smallA: usize): usize {
  return A_COPY + smallA;
}

/** A product's fields of a job, in bytes. */
const NEXT_COPY: usize = OWN_FIELDS;
const COPIED: usize = OWN_FIELDS + 4;
const A: usize = OWN_FIELDS + 8;
const A_ROW: usize = OWN_FIELDS + 12;
const A_TRANSPOSED: usize = OWN_FIELDS + 16;
const B: usize = OWN_FIELDS + 20;
const B_ROW: usize = OWN_FIELDS + 24;
const B_LAYOUT: usize = OWN_FIELDS + 28;
const C: usize = OWN_FIELDS + 32;
const BIAS_AT: usize = OWN_FIELDS + 36;
const M: usize = OWN_FIELDS + 40;
const N: usize = OWN_FIELDS + 44;
const K: usize = OWN_FIELDS + 48;
const BATCH: usize = OWN_FIELDS + 52;
const A_STEP: usize = OWN_FIELDS + 56;
const B_STEP: usize = OWN_FIELDS + 60;
const SHARED_A: usize = OWN_FIELDS + 64;

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

/** How many of the last panels of A have SHORT_ROWS rows, so that no more than one row is filled up with zeros, of fewer than four rows what they lack. */
function shortPanels(m: i32): i32 {
  if (SHORT_ROWS === ROWS) return 0;
  const rest = m % ROWS;
  if (rest === 0 || rest > SHORT_ROWS) return 0;
  return rest <= 2 * SHORT_ROWS - ROWS && m > ROWS ? 2 : 1;
}

/** How many panels A has. */
function panelsOf(m: i32): i32 {
  return tallPanels(m) + shortPanels(m);
}

function tallPanels(m: i32): i32 {
  return max(0, (m - shortPanels(m) * SHORT_ROWS + ROWS - 1) / ROWS);
}

/** First row of a panel. */
function firstRow(panel: i32, tall: i32): i32 {
  return panel <= tall ? panel * ROWS : tall * ROWS + (panel - tall) * SHORT_ROWS;
}

/** Bytes of the copy of A [m, k]. */
export function copyBytes(m: i32, k: i32, layout: i32): i32 {
  return layout === PACKED_TRANSPOSED ? acrossBytes(m, k) : firstRow(panelsOf(m), tallPanels(m)) * k * 4;
}

/** Copies panel number `panel` of A. */
function copyA(a: usize, row: usize, transposed: bool, m: i32, k: i32, panel: i32, to: usize): void {
  const tall = tallPanels(m);
  const first = firstRow(panel, tall);
  const rows = panel < tall ? ROWS : SHORT_ROWS;
  const at = to + <usize>(first * k) * 4;
  if (transposed) copyAlong(a + (<usize>first << 2), row, k, m - first, at, rows);
  else copyAcross(a + <usize>first * row, row, k, m - first, at, rows);
}

// @ts-ignore: decorator
@inline
function addTile(rows: i32, a: usize, b: usize, depth: i32, c: usize, row: usize): void {
  if (rows === ROWS) tile(a, b, depth, c, row);
  else tileShort(a, b, depth, c, row);
}

/** Columns [from, to) of one product, at most a chunk. `a` is the copy. */
function columns(a: usize, b: usize, bRow: usize, layout: i32, c: usize, bias: usize, m: i32, n: i32, k: i32, from: i32, to: i32, scratch: usize): void {
  const panels = panelsOf(m);
  const tall = tallPanels(m);
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
        const rows = panel < tall ? ROWS : SHORT_ROWS;
        const first = firstRow(panel, tall);
        const height = min(rows, m - first);
        const aPanel = a + <usize>(first * k + start * rows) * 4;
        const at = c + <usize>first * row + (<usize>j << 2);
        if (height === rows && width === COLUMNS) {
          if (!more) begin(at, row, rows, biasAt);
          addTile(rows, aPanel, bPanel, depth, at, row);
        } else {
          const bytes = <usize>width << 2;
          begin(scratch + TILE, ROW_BYTES, rows, biasAt);
          if (more) for (let r = 0; r < height; r++) memory.copy(scratch + TILE + <usize>r * ROW_BYTES, at + <usize>r * row, bytes);
          addTile(rows, aPanel, bPanel, depth, scratch + TILE, ROW_BYTES);
          for (let r = 0; r < height; r++) memory.copy(at + <usize>r * row, scratch + TILE + <usize>r * ROW_BYTES, bytes);
        }
      }
    }
  }
}

function chunkOf(layout: i32): i32 {
  return layout === PACKED_TRANSPOSED ? ACROSS_CHUNK : layout === PACKED ? PACKED_CHUNK : CHUNK;
}

/** Takes pieces of a product until none is left. A single one is cut by columns, a batch by its items. */
export function workOnProduct(job: usize, scratch: usize): void {
  const a = <usize>load<i32>(job, A), aRow = <usize>load<i32>(job, A_ROW), aTransposed = load<i32>(job, A_TRANSPOSED) !== 0;
  const b = <usize>load<i32>(job, B), bRow = <usize>load<i32>(job, B_ROW), layout = load<i32>(job, B_LAYOUT);
  const c = <usize>load<i32>(job, C), bias = <usize>load<i32>(job, BIAS_AT);
  const m = load<i32>(job, M), n = load<i32>(job, N), k = load<i32>(job, K), batch = load<i32>(job, BATCH);
  const panels = panelsOf(m);
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
    for (let chunk = nextPiece(job); chunk >= 0; chunk = nextPiece(job)) {
      const from = chunk * size;
      const to = min(n, from + size);
      if (isAcross) acrossColumns(shared, b, bRow, c, bias, m, n, k, from, to, scratch + B_COPY);
      else columns(shared, b, bRow, layout, c, bias, m, n, k, from, to, scratch);
      pieceIsDone(job);
    }
  } else {
    const aStep = <usize>load<i32>(job, A_STEP), bStep = <usize>load<i32>(job, B_STEP), cStep = <usize>m * <usize>n * 4;
    for (let item = nextPiece(job); item >= 0; item = nextPiece(job)) {
      const own = scratch + A_COPY;
      for (let panel = 0; panel < panels; panel++) copyA(a + <usize>item * aStep, aRow, aTransposed, m, k, panel, own);
      for (let j = 0; j < n; j += CHUNK) {
        columns(own, b + <usize>item * bStep, bRow, layout, c + <usize>item * cStep, bias, m, n, k, j, min(n, j + CHUNK), scratch);
      }
      pieceIsDone(job);
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
  store<i32>(job, 0, NEXT_COPY); store<i32>(job, 0, COPIED);
  const size = chunkOf(layout);
  runJob(job, scratch, PRODUCT, batch === 1 ? (n + size - 1) / size : batch, shared);
}
