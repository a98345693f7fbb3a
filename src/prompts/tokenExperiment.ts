import { CircuitError } from '../shared/errors';
import type { TextExperiment, TokenExperiment } from '../shared/experiment';
import type { TokenText } from '../shared/run';
import { pairFaults } from './pairFaults';
import { pairName } from './promptFile';
import type { TokenizedPair } from './tokenizedPair';

export interface TokenFacts {
  /** Put first in every prompt; absent when no BOS is prepended. */
  bos?: TokenText;
  /** Longest prompt of the model in tokens. */
  context?: number;
}

/**
 * An experiment as token ids: what the engine runs. `tokenized` comes from `tokenizePairs(experiment.pairs, …)`.
 * Throws the first error that `checkExperiment` would show, naming the pair: `too-big` for a prompt longer than the context, else `experiment`.
 */
export function toTokenExperiment(experiment: TextExperiment, tokenized: readonly TokenizedPair[], { bos, context }: TokenFacts): TokenExperiment {
  const { metric, direction, align, pairs } = experiment;
  if (pairs.length === 0) throw new CircuitError('experiment', 'The experiment has no pairs.');
  const first = bos ? [bos.id] : [];
  return {
    metric,
    direction,
    ...(align && { align }),
    pairs: pairs.map((pair, i) => {
      const { clean, corrupted, correct, incorrect } = tokenized[i]!;
      const fault = pairFaults(pair, tokenized[i]!, { context, align, bosPrepended: bos !== undefined }).find(({ severity }) => severity === 'error');
      if (fault) {
        const which = pairs.length > 1 || pair.name !== undefined ? `In ${JSON.stringify(pairName(pair, i))}: ` : '';
        throw new CircuitError(fault.code === 'too-long' ? 'too-big' : 'experiment', which + fault.message);
      }
      return {
        clean: [...first, ...clean.tokens.map(({ id }) => id)],
        corrupted: [...first, ...corrupted.tokens.map(({ id }) => id)],
        correct: correct.map(({ tokens }) => tokens[0]!.id),
        incorrect: incorrect.map(({ tokens }) => tokens[0]!.id),
      };
    }),
  };
}
