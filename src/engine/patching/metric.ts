import { CircuitError } from '../../shared/errors';
import type { TokenExperiment, TokenPair } from '../../shared/experiment';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { prepareActivation } from './metricActivation';
import { isDistributionMetric, prepareDistribution } from './metricDistribution';
import { prepareLinear } from './metricLinear';
import type { PreparedMetric } from './preparedMetric';

/**
 * Makes the experiment's metric ready for some of its pairs: all of one clean length, and of one corrupted length.
 * `continuation` is computed in branches (`branchesOf`), each of which has a metric of its own: give it those.
 * `work` is polled before each piece that takes time. The caller disposes it.
 */
export function prepareMetric(model: Gpt2, { metric }: TokenExperiment, pairs: readonly TokenPair[], work: Work): PreparedMetric {
  if (isDistributionMetric(metric)) return prepareDistribution(model, metric, pairs, work);
  switch (metric) {
    case 'logitDiff':
    case 'logitMinusMean':
      return prepareLinear(model, metric, pairs);
    case 'continuation':
      throw new CircuitError('internal', 'A continuation is computed branch by branch.');
    default:
      return prepareActivation(model, metric, pairs);
  }
}
