import type { TokenExperiment, TokenPair } from '../shared/experiment';
import type { RunManifest, RunPair, TokenText } from '../shared/run';

/** A run's experiment as token ids, as the engine ran it: what exact patching and every later look at the run start from. */
export function tokenExperimentOf({ experiment, pairs }: Pick<RunManifest, 'experiment' | 'pairs'>): TokenExperiment {
  const { metric, direction, other, variant, align } = experiment;
  return { metric, direction, ...(other && { other }), ...(variant && { variant }), ...(align && { align }), pairs: pairs.map(tokenPairOf) };
}

function tokenPairOf({ clean, corrupted, correct, incorrect, differsAt, at, source, range }: RunPair): TokenPair {
  return {
    clean: idsOf(clean),
    // Where there is no corrupted prompt a run repeats the clean one.
    ...(differsAt !== undefined && { corrupted: idsOf(corrupted) }),
    correct: idsOf(correct),
    incorrect: idsOf(incorrect),
    ...(at !== undefined && { at }),
    ...(source !== undefined && { source }),
    ...(range && { range }),
  };
}

function idsOf(tokens: readonly TokenText[]): number[] {
  return tokens.map(({ id }) => id);
}
