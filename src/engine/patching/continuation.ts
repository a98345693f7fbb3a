import type { TokenExperiment, TokenPair } from '../../shared/experiment';

/** A part of an experiment that is run by itself: its metric is one that reads one run of each prompt. */
export interface Branch {
  /** The same pairs, in the same order and the same groups. Its variant is the experiment's own. */
  experiment: TokenExperiment;
  /** Per pair: the experiment's metric, and every effect on it, is Σ over branches of weight · the branch's. */
  weights: number[];
  /**
   * Tokens appended to every prompt of the branch. They are no part of the prompts: effects there are left out, patches,
   * interventions and stopped gradients at "all positions" stop before them, and places counted from the end are counted
   * from the prompt's.
   */
  appended: number;
}

/**
 * What is computed for an experiment. `continuation` = Σ_t log p(correct_t | prompt, correct_<t) − the same for the
 * incorrect continuation: one `promptLogProb` over prompt + continuation for each side, weighted with its number of tokens
 * since that is a mean. Shorter continuations are filled up behind, where nothing looks, so that pairs of one prompt
 * length stay of one length. Every other metric is its own only branch.
 */
export function branchesOf(experiment: TokenExperiment): Branch[] {
  const { metric, pairs } = experiment;
  if (metric !== 'continuation') return [{ experiment, weights: pairs.map(() => 1), appended: 0 }];
  return (['correct', 'incorrect'] as const).flatMap((side) => {
    const appended = Math.max(...pairs.map((pair) => pair[side].length));
    return appended > 0 ? [sideBranch(experiment, side, appended)] : [];
  });
}

function sideBranch(experiment: TokenExperiment, side: 'correct' | 'incorrect', appended: number): Branch {
  const sign = side === 'correct' ? 1 : -1;
  return {
    experiment: {
      ...experiment,
      metric: 'promptLogProb',
      pairs: experiment.pairs.map((pair) => withContinuation(pair, pair[side], appended)),
    },
    weights: experiment.pairs.map((pair) => sign * pair[side].length),
    appended,
  };
}

/** The pair's `at` stays the last position of the prompt; `range` is where the continuation's tokens are predicted. */
function withContinuation({ clean, corrupted, ...pair }: TokenPair, continuation: readonly number[], appended: number): TokenPair {
  const last = clean.length - 1;
  const filled = [...continuation, ...new Array<number>(appended - continuation.length).fill(continuation.at(-1) ?? clean[last]!)];
  return {
    ...pair,
    clean: [...clean, ...filled],
    ...(corrupted && { corrupted: [...corrupted, ...filled] }),
    at: last,
    range: [last, last + Math.max(1, continuation.length) - 1],
  };
}
