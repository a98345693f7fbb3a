import { CircuitError } from '../../shared/errors';
import { hasGradient, type Metric, type TokenExperiment, type TokenPair } from '../../shared/experiment';
import type { Gpt2Config } from '../model/config';
import { fromEnd, metricPosition, rangeOf } from './metricPositions';

/**
 * Throws `experiment` where a metric lacks what it needs: answers, a place inside both prompts, a layer, head or neuron
 * that the model has. Token ids are not looked at.
 */
export function checkMetric({ metric, pairs }: TokenExperiment, config: Gpt2Config): void {
  checkActivation(metric, config);
  pairs.forEach((pair, index) => {
    const name = `Pair ${index + 1}`;
    checkAnswers(metric, pair, name);
    const at = metricPosition(pair);
    checkPlace(at, pair, `${name}: the metric's position`);
    if (metric === 'continuation' && fromEnd(pair, at) > 0) {
      throw new CircuitError('experiment', `${name}: the metric's position is ${at}, but a continuation continues the prompt after its last token. Leave "at" out.`);
    }
    if (metric === 'promptLogProb') checkRange(pair, name);
    if (typeof metric === 'object' && metric.activation === 'attention') {
      if (pair.source === undefined) throw new CircuitError('experiment', `${name} does not say from which source position the attention is read. Give "source".`);
      checkPlace(pair.source, pair, `${name}: the attention's source`);
      if (pair.source > at) {
        throw new CircuitError('experiment', `${name}: the attention's source is position ${pair.source}, after its destination ${at}. A position only attends to itself and what stands before it.`);
      }
    }
  });
}

/** Throws `experiment` where attribution of the metric is zero by construction. Exact patching of it is fine. */
export function checkAttributable(experiment: TokenExperiment): void {
  if (hasGradient(experiment)) return;
  throw new CircuitError('experiment', 'The gradient of the KL divergence to the clean run is zero at the clean run, so noising attributes nothing to it. Use the direction denoise, integrated gradients, or exact patching.');
}

function checkActivation(metric: Metric, { layers, heads, dMlp }: Gpt2Config): void {
  if (typeof metric !== 'object') return;
  const check = (what: string, value: number | undefined, count: number): void => {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value < count)) {
      throw new CircuitError('experiment', `The metric reads ${what} ${value}; this model has ${what}s 0 to ${count - 1}.`);
    }
  };
  check('layer', metric.layer, layers);
  if ('head' in metric) check('head', metric.head, heads);
  if ('neuron' in metric) check('neuron', metric.neuron, dMlp);
}

const NEEDS_CORRECT: readonly Metric[] = ['logitDiff', 'logProb', 'prob', 'probDiff', 'logitMinusMean', 'continuation'];
const NEEDS_INCORRECT: readonly Metric[] = ['logitDiff', 'probDiff'];

function checkAnswers(metric: Metric, { correct, incorrect }: TokenPair, name: string): void {
  const directLogit = typeof metric === 'object' && metric.activation === 'directLogit';
  const missing = correct.length === 0 && (directLogit || NEEDS_CORRECT.includes(metric)) ? 'correct' : incorrect.length === 0 && (directLogit || NEEDS_INCORRECT.includes(metric)) ? 'incorrect' : undefined;
  if (!missing) return;
  const called = typeof metric === 'object' ? metric.activation : metric;
  throw new CircuitError('experiment', `${name} has no ${missing} answer, which the metric ${called} needs. Add one, or choose another metric.`);
}

function checkRange(pair: TokenPair, name: string): void {
  const [first, last] = rangeOf(pair);
  if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && last <= pair.clean.length - 2 && first <= last)) {
    const given = pair.range ? `its range is ${first} to ${last}` : 'it first differs from the corrupted prompt at its last token';
    throw new CircuitError('experiment', `${name} has no position whose next token could be predicted: ${given}, of ${pair.clean.length} tokens. Give a "range" within 0 to ${pair.clean.length - 2}.`);
  }
  checkPlace(first, pair, `${name}: the start of its range`);
}

function checkPlace(position: number, pair: TokenPair, what: string): void {
  const { length } = pair.clean;
  if (!(Number.isInteger(position) && position >= 0 && position < length)) {
    throw new CircuitError('experiment', `${what} is ${position}; the clean prompt has positions 0 to ${length - 1}.`);
  }
  if (pair.corrupted && fromEnd(pair, position) >= pair.corrupted.length) {
    throw new CircuitError('experiment', `${what} is ${fromEnd(pair, position)} tokens before the end; the corrupted prompt has only ${pair.corrupted.length} tokens. Choose one nearer the end.`);
  }
}
