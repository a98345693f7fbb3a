import { hasOtherRun, type Direction } from '../../shared/experiment';
import type { Gpt2Config } from '../model/config';
import { ROWS_AT_ONCE } from '../model/forward';
import { layerGradientsFloats } from './edgesReceivers';
import { metricSign, type MetricSign } from './metricSign';
import type { Chunk, Plan } from './plan';

/** Floats of gradients that are kept until the last pass has given its own; with more, those of each pass are multiplied with the senders for themselves. */
const GRADIENTS_KEPT = 1 << 25;

/** A pair to which a backward pass gives its gradients, times ±1. */
export interface Use {
  pair: number;
  sign: MetricSign;
}

/** One input that is run: the base prompt of a pair of the chunk, `share` of the way to its other side's embedding. */
export interface StepInput {
  pair: number;
  share: number;
  /** The pair of which it is the base prompt. */
  baseOf?: number;
  /** The backward passes through it: from the metric of `pair`, for all pairs of which it is a step and whose metric is ± that one. */
  passes: { pair: number; uses: Use[] }[];
}

/** Inputs that are run together: base prompts, prompts of the other side, or what lies between them. All have as many passes. */
export interface StepBatch {
  at: 'base' | 'other' | 'between';
  inputs: StepInput[];
}

/**
 * What is run for the gradients of a chunk's pairs, each distinct input once. Without integrated gradients those are the base prompts.
 * With them, of a pair (base a, other b) in m steps, (1 − α)·a + α·b at α = (k + {left 0, midpoint ½, right 1})/m: at 1 − α that is an
 * input of a pair (b, a), and at α = 0 or 1 it is a prompt, of which the forward pass is known. Inputs are told apart by their prompts
 * and the numerators of 2m·α, which are whole.
 */
export function stepBatches(plan: Plan, chunk: Chunk, direction: Direction): StepBatch[] {
  const { pairs, metric, other } = plan.branches[chunk.branch]!.experiment;
  const { steps, rule } = plan.experiment.variant?.integrated ?? { steps: 1, rule: 'left' };
  const own = chunk.pairs.map((index) => pairs[index]!);
  const bases = own.map(({ clean, corrupted }) => (direction === 'denoise' ? corrupted! : clean).join());
  const others = own.map(({ clean, corrupted }) => (hasOtherRun(other) ? (direction === 'denoise' ? clean : corrupted!).join() : ''));
  const inputs = new Map<string, StepInput>();
  for (let step = 0; step < steps; step++) {
    const numerator = 2 * step + { left: 0, midpoint: 1, right: 2 }[rule];
    own.forEach((pair, index) => {
      const key = inputKey(bases[index]!, others[index]!, numerator, 2 * steps);
      let input = inputs.get(key);
      if (!input) {
        const baseOf = numerator === 0 ? index : bases.indexOf(key);
        input = { pair: index, share: numerator / (2 * steps), ...(baseOf >= 0 && { baseOf }), passes: [] };
        inputs.set(key, input);
      }
      for (const pass of input.passes) {
        const sign = metricSign(metric, own[pass.pair]!, pair);
        if (sign) return void pass.uses.push({ pair: index, sign });
      }
      input.passes.push({ pair: index, uses: [{ pair: index, sign: 1 }] });
    });
  }
  return batchesOf([...inputs.values()], hasOtherRun(other), chunk);
}

/** A prompt's own tokens where it is one. `other`: empty where the other side is no prompt. */
function inputKey(base: string, other: string, numerator: number, denominator: number): string {
  if (numerator === 0) return base;
  if (other === '') return `${base}|${numerator}`;
  if (numerator === denominator) return other;
  return base < other ? `${base}|${other}|${numerator}` : `${other}|${base}|${denominator - numerator}`;
}

function batchesOf(inputs: readonly StepInput[], hasOther: boolean, { pairs, prefix, cleanLength }: Chunk): StepBatch[] {
  const placeOf = ({ baseOf, share }: StepInput): StepBatch['at'] => (baseOf !== undefined ? 'base' : share === 1 && hasOther ? 'other' : 'between');
  const of = (at: StepBatch['at']): StepInput[] => inputs.filter((input) => placeOf(input) === at);
  const atOnce = stepsAtOnce(pairs.length * (cleanLength - prefix)) * pairs.length;
  // What is known of a prompt is there as often as it is wanted: once for each backward pass.
  const apart = (input: StepInput): StepInput[] => input.passes.map((pass) => ({ ...input, pair: pass.pair, ...(input.share === 0 && { baseOf: pass.pair }), passes: [pass] }));
  const known = (['base', 'other'] as const).flatMap((at) => cut(of(at).flatMap(apart), pairs.length).map((own) => ({ at, inputs: own })));
  const between = of('between');
  const counts = [...new Set(between.map(({ passes }) => passes.length))];
  return [...known, ...counts.flatMap((count) => cut(between.filter(({ passes }) => passes.length === count), atOnce).map((own) => ({ at: 'between' as const, inputs: own })))];
}

/** In as few parts as it takes, of about one size. */
function cut<T>(all: readonly T[], most: number): T[][] {
  const count = Math.ceil(all.length / most);
  return Array.from({ length: count }, (_, i) => all.slice(Math.round((i * all.length) / count), Math.round(((i + 1) * all.length) / count)));
}

/** How many steps of so many rows are run together. */
function stepsAtOnce(rows: number): number {
  return Math.max(1, Math.floor(ROWS_AT_ONCE / rows));
}

/** A use, and which of the pair's uses it is among those whose gradients are summed. */
export interface Target extends Use {
  slot: number;
}

/** A backward pass: by input of its batch, the pair whose metric it starts from, and what its gradients are added to. */
export interface StepPass {
  pairs: number[];
  targets: Target[][];
  /** The last one of its batch. */
  isLast: boolean;
  /** The sums are multiplied with the senders after it. */
  contracts: boolean;
}

/** The backward passes of each batch, and how much is kept of their gradients. */
export interface StepPasses {
  batches: { batch: StepBatch; passes: StepPass[] }[];
  /** How often the sums are multiplied with the senders: once if those of all passes can be kept, or after each pass. */
  contractions: number;
  /** Of how many passes a pair's gradients are kept at a time, and the floats of all. */
  slots: number;
  floats: number;
}

export function passesOf(config: Gpt2Config, plan: Plan, chunk: Chunk, direction: Direction): StepPasses {
  const batches = stepBatches(plan, chunk, direction);
  const rows = chunk.pairs.length * (chunk.cleanLength - chunk.prefix - plan.branches[chunk.branch]!.appended);
  const usesOf = new Map<number, number>();
  for (const { pair } of batches.flatMap(({ inputs }) => inputs.flatMap(({ passes }) => passes.flatMap(({ uses }) => uses)))) usesOf.set(pair, (usesOf.get(pair) ?? 0) + 1);
  const all = Math.max(...usesOf.values());
  const isKept = config.layers * layerGradientsFloats(config, rows, all) <= GRADIENTS_KEPT;
  const slots = new Map<number, number>();
  let most = 0;
  const done = batches.map((batch, index) => {
    const count = batch.inputs[0]!.passes.length;
    const passes = Array.from({ length: count }, (_, pass): StepPass => {
      if (!isKept) slots.clear();
      const targets = batch.inputs.map(({ passes: own }) =>
        own[pass]!.uses.map((use): Target => {
          const slot = slots.get(use.pair) ?? 0;
          slots.set(use.pair, slot + 1);
          most = Math.max(most, slot + 1);
          return { ...use, slot };
        }),
      );
      const isLast = pass === count - 1;
      return { pairs: batch.inputs.map(({ passes: own }) => own[pass]!.pair), targets, isLast, contracts: !isKept || (isLast && index === batches.length - 1) };
    });
    return { batch, passes };
  });
  const count = done.reduce((sum, { passes }) => sum + passes.length, 0);
  return { batches: done, contractions: isKept ? 1 : count, slots: most, floats: (isKept && count > 1 ? config.layers : 1) * layerGradientsFloats(config, rows, most) };
}

/** Rows · layers of a chunk's steps in one direction: one for each row of a forward pass, two for each of a backward pass, one for each that is contracted. */
export function stepsWork({ layers }: Gpt2Config, { batches, contractions }: StepPasses, { pairs, prefix, cleanLength }: Chunk): number {
  const sequences = batches.reduce((sum, { batch: { at, inputs }, passes }) => sum + inputs.length * ((at === 'base' ? 0 : 1) + 2 * passes.length), 0);
  return layers * (cleanLength - prefix) * (sequences + pairs.length * contractions);
}
