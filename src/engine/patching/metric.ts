import { CircuitError } from '../../shared/errors';
import type { TokenExperiment, TokenPair } from '../../shared/experiment';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { prepareLinear } from './metricLinear';
import type { PreparedMetric } from './preparedMetric';

/**
 * Makes the experiment's metric ready for some of its pairs: all of one clean length, and of one corrupted length.
 * `work` is polled before each piece that takes time. The caller disposes it.
 */
export function prepareMetric(model: Gpt2, { metric }: TokenExperiment, pairs: readonly TokenPair[], _work: Work): PreparedMetric {
  switch (metric) {
    case 'logitDiff':
      return prepareLinear(model, metric, pairs);
    case 'logitMinusMean':
      return prepareLinear(model, metric, pairs);
    default:
      throw new CircuitError('internal', 'Not built yet.');
  }
}
