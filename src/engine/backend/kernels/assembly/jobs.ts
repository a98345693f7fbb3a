/**
 * Work that several threads share: each takes the next piece from a counter until none is left. A job is one area of the
 * imported memory, allocated by the caller and used again and again; this program keeps no data of its own.
 */

/** Fields of a job, in bytes. */
// Counts the jobs; threads sleep on it.
export const SEQUENCE: usize = 0;
// The number of the job that may be joined, 0 when none may.
export const OPEN: usize = 4;
// Threads that are looking at the job.
export const ACTIVE: usize = 8;
export const STOP: usize = 12;
const NEXT: usize = 16;
const DONE: usize = 20;
const PIECES: usize = 24;
export const KIND: usize = 28;
/** Where those begin that each kind of work has of its own. */
export const OWN_FIELDS: usize = 32;
export const JOB_BYTES: usize = 128;

/** Kinds of work. */
export const PRODUCT: i32 = 0;
export const GELU: i32 = 1;
export const GELU_BACKWARD: i32 = 2;
export const SOFTMAX: i32 = 3;

/** The number of a piece that is this thread's now, −1 when none is left. */
export function nextPiece(job: usize): i32 {
  const piece = atomic.add<i32>(job, 1, NEXT);
  return piece < load<i32>(job, PIECES) ? piece : -1;
}

export function pieceIsDone(job: usize): void {
  atomic.add<i32>(job, 1, DONE);
}

/** Begins a job whose own fields are written. `shared`: other threads are woken to help. */
export function openJob(job: usize, kind: i32, pieces: i32, shared: bool): void {
  store<i32>(job, kind, KIND); store<i32>(job, pieces, PIECES);
  store<i32>(job, 0, NEXT); store<i32>(job, 0, DONE);
  if (!shared) return;
  const sequence = atomic.load<i32>(job, SEQUENCE) + 1;
  atomic.store<i32>(job, sequence, OPEN);
  atomic.store<i32>(job, sequence, SEQUENCE);
  atomic.notify(job + SEQUENCE, -1);
}

/** Waits until all pieces are done, once there are none left to be taken. */
export function closeJob(job: usize, pieces: i32, shared: bool): void {
  waitUntil(job, DONE, pieces);
  if (!shared) return;
  // A thread that came late may still be looking: it must be gone before the fields change.
  atomic.store<i32>(job, 0, OPEN);
  waitUntil(job, ACTIVE, 0);
}

/**
 * Looks at a field before a thread that waits for others lets them have its core: some 200 µs, more than their last piece of work
 * takes with some forty rows if they have a core of their own. A thread that goes to sleep is as late again in waking up.
 */
const LOOKS_AT_OTHERS: i32 = 100_000;
const PAUSE_NS: i64 = 200_000;

/** Waits until a field that others change has this value. On a busy machine they may need this thread's core to get there. */
export function waitUntil(job: usize, field: usize, value: i32): void {
  for (let looks = 0; ; looks++) {
    const now = atomic.load<i32>(job + field);
    if (now === value) return;
    if (looks > LOOKS_AT_OTHERS) atomic.wait<i32>(job + field, now, PAUSE_NS);
  }
}
