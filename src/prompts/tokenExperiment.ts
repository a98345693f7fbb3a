import { CircuitError } from '../shared/errors';
import type { Metric, TextExperiment, TextPair, TokenExperiment, TokenPair } from '../shared/experiment';
import type { TokenText } from '../shared/run';
import { pairFaults, type TokenRules } from './pairFaults';
import { placesOf } from './placesOf';
import { pairName } from './promptFile';
import { resolvePosition } from './resolvePlace';
import { answersRead, isAblation, settingFaults } from './rules';
import type { TokenizedAnswer, TokenizedPair } from './tokenizedPair';

export interface TokenFacts {
  /** Put first in every prompt; absent when no BOS is prepended. */
  bos?: TokenText;
  /** Longest prompt of the model in tokens. */
  context?: number;
}

/**
 * An experiment as token ids: what the engine runs. `tokenized` comes from `tokenizePairs(experiment.pairs, …)`.
 * Throws the first error that a prompt file's diagnostics would show, naming the pair: `too-big` for a prompt longer than the context, else `experiment`.
 */
export function toTokenExperiment(experiment: TextExperiment, tokenized: readonly TokenizedPair[], { bos, context }: TokenFacts): TokenExperiment {
  const { metric, direction, other, variant, align, pairs } = experiment;
  if (pairs.length === 0) throw new CircuitError('experiment', 'The experiment has no pairs.');
  const [wrong] = settingFaults(experiment);
  if (wrong) throw new CircuitError('experiment', wrong.message);
  const rules: TokenRules = { context, bosPrepended: bos !== undefined, settings: experiment };
  const idsOf = (tokens: readonly TokenText[]): number[] => [...(bos ? [bos.id] : []), ...tokens.map(({ id }) => id)];
  return {
    metric,
    direction,
    ...(other && { other }),
    ...(variant && { variant }),
    ...(align && { align }),
    pairs: pairs.map((pair, i): TokenPair => {
      const texts = tokenized[i]!;
      checkPair(pair, texts, rules, pairs.length > 1 || pair.name !== undefined ? `In ${JSON.stringify(pairName(pair, i))}: ` : '');
      const places = placesOf(pair, texts, rules);
      return {
        clean: idsOf(texts.clean.tokens),
        ...(texts.corrupted && !isAblation(other) && { corrupted: idsOf(texts.corrupted.tokens) }),
        correct: answerIds(metric, 'correct', pair, texts.correct),
        incorrect: answerIds(metric, 'incorrect', pair, texts.incorrect),
        // A place that is missing was refused above.
        ...('missing' in places ? {} : places),
      };
    }),
  };
}

/**
 * What a prompt file's diagnostics would warn of, each kind once, naming the first pair that has it; for pairs that have no errors.
 * `pairIndices`: which pairs of their file these are, if not all from the first on.
 */
export function promptWarnings(experiment: TextExperiment, tokenized: readonly TokenizedPair[], { bos, context }: TokenFacts, pairIndices?: readonly number[]): string[] {
  const { pairs } = experiment;
  const rules: TokenRules = { context, bosPrepended: bos !== undefined, settings: experiment };
  const kinds = new Map<string, { message: string; pairs: Set<number> }>();
  pairs.forEach((pair, i) => {
    for (const { code, severity, message } of pairFaults(pair, tokenized[i]!, rules)) {
      if (severity !== 'warning') continue;
      const kind = kinds.get(code);
      if (kind) kind.pairs.add(i);
      else kinds.set(code, { message: (pairs.length > 1 ? `In ${JSON.stringify(pairName(pair, pairIndices?.[i] ?? i))}: ` : '') + message, pairs: new Set([i]) });
    }
  });
  return [...kinds.values()].map(({ message, pairs: { size } }) => (size > 1 ? `${message} So it is in ${size} of ${pairs.length} pairs.` : message));
}

/** A pair's named positions as token indices of its clean prompt, BOS counted, in their order; for pairs that have no faults. */
export function namedPositions({ clean, positions }: TextPair, tokenized: TokenizedPair, bosPrepended: boolean): Record<string, number> {
  return Object.fromEntries(Object.entries(positions ?? {}).map(([name, position]) => [name, resolvePosition(position, clean, tokenized.clean, bosPrepended)!]));
}

function checkPair(pair: TextPair, tokenized: TokenizedPair, rules: TokenRules, which: string): void {
  const fault = pairFaults(pair, tokenized, rules).find(({ severity }) => severity === 'error');
  if (fault) throw new CircuitError(fault.code === 'too-long' ? 'too-big' : 'experiment', which + fault.message);
}

/** One token per answer; of a continuation all its tokens. Answers that the metric does not read and that are no single tokens are left out. */
function answerIds(metric: Metric, side: 'correct' | 'incorrect', { firstToken }: TextPair, answers: readonly TokenizedAnswer[]): number[] {
  if (metric === 'continuation') return (answers[0]?.tokens ?? []).map(({ id }) => id);
  const areSingle = firstToken === true || answers.every(({ tokens }) => tokens.length === 1);
  return areSingle || answersRead(metric)[side] ? answers.map(({ tokens }) => tokens[0]!.id) : [];
}
