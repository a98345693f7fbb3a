import type { RunSummary } from '../../src/shared/panelProtocol';
import { meanDifference, type ViewOptions } from '../../src/shared/views';

/** What the two ends of a map's colours mean, in words. */
export interface SignWords {
  sentence: string;
  negative: string;
  positive: string;
}

/**
 * Normalised scores are divided by mean LD_clean − mean LD_corrupted. Where that is negative it turns the signs round:
 * positive still leads towards the clean run, but the clean run is then the one that favours the incorrect answer.
 */
export function signWords(run: Pick<RunSummary, 'pairs'>, unit: ViewOptions['unit']): SignWords {
  if (unit === 'normalised' && meanDifference(run) < 0) {
    return {
      sentence: 'Positive (blue) moves towards the clean run, which here favours the incorrect answer.',
      negative: 'towards corrupted',
      positive: 'towards clean',
    };
  }
  return { sentence: 'Positive (blue) supports the correct answer.', negative: 'opposes', positive: 'supports the correct answer' };
}
