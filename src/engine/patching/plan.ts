import { firstDifference, LOGIT_METRICS, type Intervention, type TokenExperiment, type TokenPair } from '../../shared/experiment';
import { CircuitError } from '../../shared/errors';
import type { PairGroup } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { ROWS_AT_ONCE } from '../model/forward';
import { branchesOf, type Branch } from './continuation';
import { checkMetric } from './metricChecks';
import { metricPosition, metricTail, rangeOf } from './metricPositions';
import { checkOther, checkUnits } from './variantChecks';

/** Pairs computed in one go: equal token counts, equal length of the shared prefix. */
export interface Chunk {
  /** Index of its branch in `Plan.branches`. */
  branch: number;
  /** Index of its group in `Plan.groups`. */
  group: number;
  /** Indices into the experiment's pairs. */
  pairs: number[];
  /** Positions that all of a pair's runs share: before the first difference, the first intervention and what the metric reads. */
  prefix: number;
  /** Token counts in the runs, those that a continuation appends included. Without a corrupted prompt its count is the clean one's. */
  cleanLength: number;
  corruptedLength: number;
  /** Trailing positions that the metric reads. */
  tail: number;
}

export interface Plan {
  /** As it was given. */
  experiment: TokenExperiment;
  groups: PairGroup[];
  /** What is computed for it, `resample` resolved into corrupted prompts. One, except for `continuation`. */
  branches: Branch[];
  chunks: Chunk[];
}

/**
 * Which pairs are computed together. Groups (the result's) are by token count; chunks, finer, also by first difference.
 * Throws `experiment` for pairs that cannot be compared, token ids, places and units that do not exist and variants that
 * do not go together, `too-big` for prompts longer than the model's context.
 */
export function planChunks(experiment: TokenExperiment, config: Gpt2Config): Plan {
  checkExperiment(experiment, config);
  const groups = groupsOf(experiment);
  checkOther(experiment, groups);
  checkUnits(experiment, groups, config);
  const branches = branchesOf(withResampled(experiment, groups));
  for (const { experiment: own, appended } of branches) {
    if (appended === 0) continue;
    own.pairs.forEach((pair, index) => checkPrompt(pair.clean, `The clean prompt of pair ${index + 1}, with ${appended} tokens of continuation,`, config));
  }
  return { experiment, groups, branches, chunks: branches.flatMap((branch, index) => chunksOf(branch, index, groups, experiment.variant?.interventions ?? [])) };
}

/** Work of a plan in the unit in which forward and backward count, were nothing shared between pairs: rows · layers. `isMetricOnly`: without gradients. */
export function planWork({ chunks, experiment }: Plan, { layers }: Gpt2Config, isMetricOnly = false): number {
  const { integrated, gradDrop, bothGradients, interventions } = experiment.variant ?? {};
  // Each backward pass counts two, each forward pass one.
  const passes = (isMetricOnly ? 1 : integrated ? 1 + 3 * integrated.steps : gradDrop ? 1 + 2 * layers : 3) + (interventions ? 1 : 0);
  const rows = chunks.map(({ pairs, prefix, cleanLength, corruptedLength }) => pairs.length * (prefix + passes * (Math.max(cleanLength, corruptedLength) - prefix) + Math.min(cleanLength, corruptedLength) - prefix));
  return (bothGradients ? 2 : 1) * layers * rows.reduce((sum, own) => sum + own, 0);
}

function groupsOf({ pairs }: TokenExperiment): PairGroup[] {
  const groups: PairGroup[] = [];
  pairs.forEach(({ clean, corrupted }, index) => {
    const { length } = clean;
    const positions = corrupted && corrupted.length !== length ? 'last' : 'all';
    const group = groups.find((candidate) => candidate.length === length && candidate.positions === positions);
    if (group) group.pairs.push(index);
    else groups.push({ pairs: [index], length, positions });
  });
  return groups;
}

/** The pair whose clean prompt stands in for this one's: the next of its group, cyclic. */
export function nextPair(index: number, groups: readonly PairGroup[]): number {
  const { pairs } = groups.find((group) => group.pairs.includes(index))!;
  return pairs[(pairs.indexOf(index) + 1) % pairs.length]!;
}

/** Under `resample` the corrupted prompt is the next pair's clean one; under `zero` and `mean` there is none. A pair's range stays that of its own prompts. */
function withResampled(experiment: TokenExperiment, groups: readonly PairGroup[]): TokenExperiment {
  const { other = 'corrupted', pairs, metric } = experiment;
  if (other === 'corrupted') return experiment;
  return {
    ...experiment,
    other: other === 'resample' ? 'corrupted' : other,
    pairs: pairs.map((pair, index) => ({
      ...pair,
      ...(metric === 'promptLogProb' && { range: rangeOf(pair) }),
      corrupted: other === 'resample' ? pairs[nextPair(index, groups)]!.clean : undefined,
    })),
  };
}

function chunksOf({ experiment }: Branch, branch: number, groups: readonly PairGroup[], interventions: readonly Intervention[]): Chunk[] {
  const chunks: Chunk[] = [];
  const open = new Map<string, Chunk>();
  experiment.pairs.forEach((pair, index) => {
    const group = groups.findIndex((candidate) => candidate.pairs.includes(index));
    const tail = metricTail(experiment.metric, pair);
    const cleanLength = pair.clean.length;
    const corruptedLength = pair.corrupted?.length ?? cleanLength;
    const prefix = prefixOf(pair, tail, interventions.map((intervention) => firstEdited(intervention, pair, groups[group]!.length)));
    const key = [group, corruptedLength, prefix, experiment.metric === 'promptLogProb' ? '' : tail].join();
    let chunk = open.get(key);
    if (!chunk || chunk.pairs.length >= pairsAtOnce(chunk)) {
      chunk = { branch, group, pairs: [], prefix, cleanLength, corruptedLength, tail };
      open.set(key, chunk);
      chunks.push(chunk);
    }
    chunk.pairs.push(index);
    chunk.tail = Math.max(chunk.tail, tail);
  });
  return chunks;
}

/** Each prompt keeps what the metric reads, even where one is the beginning of the other. */
function prefixOf({ clean, corrupted }: TokenPair, tail: number, edited: readonly number[]): number {
  if (!corrupted) return 0;
  return Math.max(0, Math.min(firstDifference(clean, corrupted) ?? Infinity, clean.length - tail, corrupted.length - tail, ...edited));
}

/** `length`: tokens of the prompt. Before the first difference the other side's activations are the base run's own. */
function firstEdited({ unit: { position }, with: source }: Intervention, pair: TokenPair, length: number): number {
  if (source === 'corrupted') return Infinity;
  if (position === undefined) return 0;
  if (position === 'last') return metricPosition(pair);
  return position < 0 ? length + position : position;
}

/** An even number where possible: neighbours are often each other's mirror image and then share their runs. */
function pairsAtOnce({ prefix, cleanLength, corruptedLength }: Chunk): number {
  const count = Math.floor(ROWS_AT_ONCE / (cleanLength + corruptedLength - 2 * prefix));
  return count < 2 ? 1 : count - (count % 2);
}

function checkExperiment(experiment: TokenExperiment, config: Gpt2Config): void {
  if (experiment.pairs.length === 0) throw new CircuitError('experiment', 'The experiment has no prompt pairs.');
  const { metric } = experiment;
  if (typeof metric === 'string' && !LOGIT_METRICS.includes(metric)) {
    throw new CircuitError('experiment', `There is no metric "${String(metric)}"; there are ${LOGIT_METRICS.join(', ')}, and those that are an activation.`);
  }
  experiment.pairs.forEach((pair, index) => checkPair(pair, index, experiment, config));
  checkMetric(experiment, config);
}

function checkPair(pair: TokenPair, index: number, { align, other = 'corrupted' }: TokenExperiment, config: Gpt2Config): void {
  const name = `Pair ${index + 1}`;
  checkPrompt(pair.clean, `The clean prompt of pair ${index + 1}`, config);
  for (const side of ['correct', 'incorrect'] as const) checkTokens(pair[side], `A ${side} answer of pair ${index + 1}`, config);
  if (other !== 'corrupted') return;
  if (!pair.corrupted) throw new CircuitError('experiment', `${name} has no corrupted prompt. Give one, or ablate instead: set "other" to zero, mean or resample.`);
  checkPrompt(pair.corrupted, `The corrupted prompt of pair ${index + 1}`, config);
  if (firstDifference(pair.clean, pair.corrupted) === undefined) {
    throw new CircuitError('experiment', `${name}: the clean and the corrupted prompt are equal, so there is nothing to attribute.`);
  }
  if (pair.clean.length !== pair.corrupted.length && align !== 'end') {
    throw new CircuitError('experiment', `${name}: the clean prompt has ${pair.clean.length} tokens, the corrupted ${pair.corrupted.length}. They must be equal, or the experiment must say "align": "end".`);
  }
}

/** Throws `experiment` for an empty prompt or an unknown token, `too-big` for one longer than the context. */
export function checkPrompt(tokens: readonly number[], what: string, config: Gpt2Config): void {
  if (tokens.length === 0) throw new CircuitError('experiment', `${what} is empty.`);
  if (tokens.length > config.context) {
    throw new CircuitError('too-big', `${what} has ${tokens.length} tokens; this model reads at most ${config.context}. Shorten it.`);
  }
  checkTokens(tokens, what, config);
}

function checkTokens(tokens: readonly number[], what: string, { vocabulary }: Gpt2Config): void {
  const bad = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabulary);
  if (bad !== undefined) {
    throw new CircuitError('experiment', `${what} has the token id ${bad}; this model has ids 0 to ${vocabulary - 1}. Its tokenizer belongs to another model.`);
  }
}
