import type { RunSummary } from '../../src/shared/panelProtocol';
import { averagedRun, meanDifference, type ViewOptions } from '../../src/shared/views';

/** What the two ends of a map's colours mean, in words. */
export interface SignWords {
  sentence: string;
  negative: string;
  positive: string;
}

type RunOfSigns = Pick<RunSummary, 'pairs' | 'metric' | 'other' | 'variant'>;

/**
 * Normalised scores are divided by M_clean − M_corrupted, of the mean or of a pair. Where that is negative it turns the signs round:
 * positive still leads towards the clean run, but the clean run is then the one that favours the incorrect answer.
 */
export function signWords(run: RunOfSigns, options: ViewOptions): SignWords {
  const ofAnswer = run.metric === 'logitDiff' || run.metric === 'probDiff';
  if (options.unit === 'normalised' && meanDifference(averagedRun(run, options)) < 0) {
    const clean = ofAnswer ? 'favours the incorrect answer' : 'has the smaller metric';
    return { sentence: `Positive (blue) moves towards the clean run, which here ${clean}.`, negative: `towards ${run.other === 'resample' ? 'the other pair' : 'corrupted'}`, positive: 'towards clean' };
  }
  if (run.variant.gradDrop) return { sentence: 'GradDrop gives magnitudes: how much a part matters, not in which direction.', negative: '', positive: 'matters' };
  if (run.metric === 'kl') return { sentence: 'Positive (blue) brings the output closer to the clean run’s.', negative: 'further from clean', positive: 'closer to clean' };
  if (run.metric === 'promptLogProb') return { sentence: 'Positive (blue) supports the prompt’s own tokens.', negative: 'opposes', positive: 'supports the prompt’s tokens' };
  if (typeof run.metric !== 'string') return { sentence: 'Positive (blue) raises the metric.', negative: 'lowers the metric', positive: 'raises the metric' };
  return { sentence: 'Positive (blue) supports the correct answer.', negative: 'opposes', positive: 'supports the correct answer' };
}
