import * as tf from '@tensorflow/tfjs-core';
import { disposeKeyValues, disposeRun, forward, type Batch, type ForwardRun, type KeyValues } from '../model/forward';
import { KnownRun } from '../model/knownRun';
import { knownRowsOf } from '../model/knownRows';
import { takeRows } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { ChunkRuns } from './chunkRuns';
import type { StepBatch, StepInput, StepPass } from './edgesSteps';

/** What a chunk's prompts are found by. */
export interface PromptPlace {
  /** The other side's prompts, pair by pair, where there are any. */
  others: readonly (readonly number[])[];
  tail: number;
}

/**
 * Recorded runs of a batch's inputs: `use` gets the run and one pass after the other, as the run's sequences are. What is known of
 * prompts is not run again. The run is disposed afterwards, but for the base run.
 */
export async function withInputs(model: Gpt2, { at, inputs }: StepBatch, passes: readonly StepPass[], runs: ChunkRuns, { others, tail }: PromptPlace, work: Work, use: (run: ForwardRun, pass: StepPass) => Promise<void>): Promise<void> {
  const { base } = runs;
  if (at === 'base' && inputs.every(({ share }) => share === 0) && (inputs.length === base.batch || !(base instanceof KnownRun))) {
    for (const pass of passes) await use(base, ofSequences(pass, base.batch));
    return;
  }
  const run = (await knownRun(model, { at, inputs }, runs, { others, tail }, work)) ?? (await between(model, inputs, runs, work));
  try {
    for (const pass of passes) await use(run, pass);
  } finally {
    disposeRun(run);
  }
}

/** The same pass where sequence i is of pair i. */
function ofSequences(pass: StepPass, count: number): StepPass {
  const pairs = Array.from({ length: count }, (_, pair) => pair);
  return { ...pass, pairs, targets: pairs.map((pair) => pass.targets[pass.pairs.indexOf(pair)] ?? []) };
}

/** Undefined where the inputs are no prompts, or what is known of them has not been kept. */
async function knownRun(model: Gpt2, { at, inputs }: StepBatch, { base, batch: { start } }: ChunkRuns, { others, tail }: PromptPlace, work: Work): Promise<ForwardRun | undefined> {
  if (at === 'between' || !(base instanceof KnownRun)) return undefined;
  const paths = at === 'base' ? inputs.map(({ baseOf }) => base.paths[baseOf!]!) : await knownRowsOf(model)?.rows([[], inputs.map(({ pair }) => ({ tokens: others[pair]!, start, tail }))], [], work);
  return paths && new KnownRun(model, paths, base.place, work);
}

/** A recorded run of base prompts whose embeddings lie between the two sides'. */
async function between(model: Gpt2, inputs: readonly StepInput[], { base, batch, metric, otherLike, appended }: ChunkRuns, work: Work): Promise<ForwardRun> {
  const { dModel } = model.config;
  const { length } = base;
  const own = base.embed!.dataSync<'float32'>();
  const other = tf.tidy(() => tf.clone(otherLike('embed', 0, base.embed!)));
  const theirs = other.dataSync<'float32'>();
  other.dispose();
  const size = length * dModel;
  const x = new Float32Array(inputs.length * size);
  inputs.forEach(({ pair, share }, i) => {
    // A continuation's tokens are the same on both sides, and stay.
    const changed = (length - appended) * dModel;
    for (let j = 0; j < size; j++) {
      const at = pair * size + j;
      x[i * size + j] = j < changed ? own[at]! + share * (theirs[at]! - own[at]!) : own[at]!;
    }
  });
  const order = inputs.map(({ pair }) => pair);
  const { past, input } = tf.tidy(() => ({
    past: batch.start === 0 ? undefined : pastOf(model, base, batch, order, work),
    input: tf.tensor2d(x, [inputs.length * length, dModel]),
  }));
  try {
    return await forward(
      model,
      { tokens: order.map((pair) => batch.tokens[pair]!), start: batch.start, past },
      { sites: metric.reads.map(({ site }) => site), capturesIn: (site, layer) => metric.reads.some((read) => read.site === site && read.layer === layer), record: true, tail: base.tail, from: { layer: 0, x: input } },
      work,
    );
  } finally {
    input.dispose();
    if (past) disposeKeyValues(past);
  }
}

/** Keys and values of the prefixes of these sequences of the base run. The caller disposes them. */
function pastOf(model: Gpt2, base: ForwardRun, { past }: Batch, order: readonly number[], work: Work): KeyValues[] {
  if (base instanceof KnownRun) return new KnownRun(model, order.map((sequence) => base.paths[sequence]!), base.place, work).past();
  return past!.map(({ key, value }) => ({ key: takeRows(key, order), value: takeRows(value, order) }));
}
