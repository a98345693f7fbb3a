import { firstDifference, type TokenExperiment, type TokenPair } from '../../shared/experiment';
import { CircuitError } from '../../shared/errors';
import type { PairGroup } from '../../shared/results';
import type { Gpt2Config } from '../model/config';

/** Pairs computed in one go: equal token counts, equal length of the shared prefix. */
export interface Chunk {
  /** Index of its group in `Plan.groups`. */
  group: number;
  /** Indices into the experiment's pairs. */
  pairs: number[];
  /** Positions that clean and corrupted share. */
  prefix: number;
  cleanLength: number;
  corruptedLength: number;
}

export interface Plan {
  groups: PairGroup[];
  chunks: Chunk[];
}

/** Rows (prompts · positions after the prefix) of one chunk; bounds the memory of its recorded activations. */
const ROWS_AT_ONCE = 256;

/**
 * Which pairs are computed together. Groups (the result's) are by token count; chunks, finer, also by first difference.
 * Throws `experiment` for pairs that cannot be compared and token ids that do not exist, `too-big` for prompts longer
 * than the model's context.
 */
export function planChunks(experiment: TokenExperiment, config: Gpt2Config): Plan {
  if (experiment.pairs.length === 0) throw new CircuitError('experiment', 'The experiment has no prompt pairs.');
  if (experiment.metric !== 'logitDiff') throw new CircuitError('experiment', `There is no metric "${String(experiment.metric)}"; use "logitDiff".`);
  const groups: PairGroup[] = [];
  const open = new Map<string, Chunk>();
  const chunks: Chunk[] = [];
  experiment.pairs.forEach((pair, index) => {
    checkPair(pair, index, experiment, config);
    const { length } = pair.clean;
    const positions = length === pair.corrupted.length ? 'all' : 'last';
    let group = groups.findIndex((candidate) => candidate.length === length && candidate.positions === positions);
    if (group === -1) group = groups.push({ pairs: [], length, positions }) - 1;
    groups[group]!.pairs.push(index);

    // Each prompt keeps at least its last position, even where one is the beginning of the other.
    const prefix = Math.min(firstDifference(pair.clean, pair.corrupted)!, length - 1, pair.corrupted.length - 1);
    const key = [group, pair.corrupted.length, prefix].join();
    let chunk = open.get(key);
    if (!chunk || chunk.pairs.length >= pairsAtOnce(chunk)) {
      chunk = { group, pairs: [], prefix, cleanLength: length, corruptedLength: pair.corrupted.length };
      open.set(key, chunk);
      chunks.push(chunk);
    }
    chunk.pairs.push(index);
  });
  return { groups, chunks };
}

/** Work of a plan in the unit in which forward and backward count, were nothing shared between pairs: rows · layers. */
export function planWork({ chunks }: Plan, { layers }: Gpt2Config): number {
  const rows = chunks.map(({ pairs, prefix, cleanLength, corruptedLength }) => pairs.length * (prefix + 3 * (Math.max(cleanLength, corruptedLength) - prefix) + Math.min(cleanLength, corruptedLength) - prefix));
  return layers * rows.reduce((sum, own) => sum + own, 0);
}

/** An even number where possible: neighbours are often each other's mirror image and then share their runs. */
function pairsAtOnce({ prefix, cleanLength, corruptedLength }: Chunk): number {
  const count = Math.floor(ROWS_AT_ONCE / (cleanLength + corruptedLength - 2 * prefix));
  return count < 2 ? 1 : count - (count % 2);
}

function checkPair(pair: TokenPair, index: number, { align }: TokenExperiment, config: Gpt2Config): void {
  const name = `Pair ${index + 1}`;
  for (const [side, tokens] of [['clean', pair.clean], ['corrupted', pair.corrupted]] as const) {
    checkPrompt(tokens, `The ${side} prompt of pair ${index + 1}`, config);
  }
  if (firstDifference(pair.clean, pair.corrupted) === undefined) {
    throw new CircuitError('experiment', `${name}: the clean and the corrupted prompt are equal, so there is nothing to attribute.`);
  }
  if (pair.clean.length !== pair.corrupted.length && align !== 'end') {
    throw new CircuitError('experiment', `${name}: the clean prompt has ${pair.clean.length} tokens, the corrupted ${pair.corrupted.length}. They must be equal, or the experiment must say "align": "end".`);
  }
  for (const [side, tokens] of [['correct', pair.correct], ['incorrect', pair.incorrect]] as const) {
    if (tokens.length === 0) throw new CircuitError('experiment', `${name} has no ${side} answer.`);
    checkTokens(tokens, `A ${side} answer of pair ${index + 1}`, config);
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
