import { disposeKeyValues, disposeRun, forward, keysAndValues, ROWS_AT_ONCE, type ForwardOptions, type ForwardRun } from './forward';
import { KnownRun } from './knownRun';
import { knownRowsOf } from './knownRows';
import type { Gpt2 } from './weights';
import type { Work } from './work';

const SEQUENCES_AT_ONCE = 32;

/**
 * Runs sequences of one length of which only the `tail` trailing positions are looked at: what stands before is a prefix, run
 * for its keys and values. What is known of the model's forward passes is not run again.
 * `use` gets the run of those positions; it is disposed afterwards.
 */
export async function withTrailingRun<T>(model: Gpt2, tokens: readonly (readonly number[])[], options: Omit<ForwardOptions, 'tail'> & { tail: number }, use: (run: ForwardRun) => T | Promise<T>, work: Work): Promise<T> {
  const start = tokens[0]!.length - options.tail;
  const paths = await knownRowsOf(model)?.rows([tokens.map((own) => ({ tokens: own, start, tail: options.tail }))], [], work);
  if (paths) {
    const run = new KnownRun(model, paths, { start, tail: options.tail }, work);
    try {
      return await use(run);
    } finally {
      run.dispose();
    }
  }
  const past = start > 0 ? await keysAndValues(model, tokens.map((sequence) => sequence.slice(0, start)), work) : undefined;
  try {
    const run = await forward(model, { tokens: tokens.map((sequence) => sequence.slice(start)), start, past }, options, work);
    try {
      return await use(run);
    } finally {
      disposeRun(run);
    }
  } finally {
    if (past) disposeKeyValues(past);
  }
}

/** Sequences of one length that are run at a time. */
export function sequencesOfLength(length: number): number {
  return Math.max(1, Math.min(SEQUENCES_AT_ONCE, Math.floor(ROWS_AT_ONCE / length)));
}

/** Indices of the sequences in chunks of one length that can be run at a time. */
export function chunksByLength(sequences: readonly (readonly number[])[]): number[][] {
  const byLength = new Map<number, number[][]>();
  sequences.forEach(({ length }, index) => {
    const chunks = byLength.get(length) ?? [[]];
    byLength.set(length, chunks);
    if (chunks.at(-1)!.length >= sequencesOfLength(length)) chunks.push([]);
    chunks.at(-1)!.push(index);
  });
  return [...byLength.values()].flat();
}

/** Work of running whole sequences once, in the unit in which the forward pass counts. */
export function sequencesWork({ config }: Gpt2, sequences: readonly (readonly number[])[]): number {
  return sequences.reduce((sum, { length }) => sum + length, 0) * config.layers;
}
