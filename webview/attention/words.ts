import { metricTitle } from '../../src/shared/metrics';
import { directionWords, otherSide } from '../../src/shared/otherSide';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { variantWords } from '../../src/shared/variants';
import type { ViewOptions } from '../../src/shared/views';
import { scaleWords } from '../model/facts';
import { formatScore } from '../model/format';
import { signWords } from '../model/signs';
import { isSigned } from './scales';
import { valueOf, type PatternCell, type PatternMatrix } from './patterns';
import { tokenWords } from './tokenAxis';

type Experiment = Pick<RunSummary, 'direction' | 'other' | 'variant' | 'metric' | 'pairs'>;

/** What one cell of the attribution is, and how far it can be trusted. `asked`: the unit of the panel, in which a pair cannot always be shown. */
export function attributionWords(run: Experiment, options: ViewOptions, asked: ViewOptions['unit']): string {
  const { other } = run;
  const factor = other === 'zero' ? 'the clean pattern' : `(clean − ${otherSide(run)})`;
  const biases =
    other === 'zero'
      ? 'Value biases are not folded into the weights: a constant in the values of all sources adds to a row in proportion to its pattern, so single cells and rows’ sums both depend on it.'
      : 'Value biases are not folded into the weights, so single cells of a row are only defined up to a constant in the values of all sources; rows’ sums do not depend on it.';
  return `Attribution of a cell: ${factor} × the gradient of the metric with respect to that cell ${gradientPlace(run)}; ${scaleWords(run, options)}${asked === options.unit ? '' : ', for this pair alone has nothing to divide by'}. ${signWords(run, options).sentence} ${biases}`;
}

/** In which run the gradient is taken. */
function gradientPlace(run: Experiment): string {
  const { direction, other, variant } = run;
  const interventions = (variant.interventions ?? []).length > 0 ? ' with the interventions' : '';
  if (variant.bothGradients) return `in the clean and the ${otherSide(run)} run, averaged`;
  const base = other === 'corrupted' && direction === 'denoise' ? 'corrupted' : 'clean';
  if (variant.integrated) return `averaged along the way from the ${base} run${interventions} to the other`;
  return `in the ${base} run${interventions}`;
}

/** Stands under the view: what was run, and that the numbers are those of one pair alone. */
export function attentionCaption(run: RunSummary, options: ViewOptions & { pair: number }): string {
  const parts = [`${run.direction} (${directionWords(run)})`, `${metricTitle(run.metric)}, ${scaleWords(run, options)}`, ...variantWords(run), run.prependBos ? 'BOS prepended' : 'no BOS', `${run.pairs[options.pair]!.name} alone`];
  return parts.join(' · ');
}

/** Probabilities without a sign, the rest signed. */
export function cellValue(matrix: PatternMatrix, cell: PatternCell): string {
  const value = valueOf(matrix, cell);
  return isSigned(matrix.kind) ? formatScore(value) : formatProbability(value);
}

export function formatProbability(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  return value < 5e-4 ? value.toExponential(1).replace('e-', 'e−') : value.toFixed(3);
}

/** END “ to” (13) attends to IO “ Mary” (3). */
export function cellPlace({ tokens, kind }: PatternMatrix, { dest, src }: PatternCell, both = isSigned(kind)): string {
  return `${tokenWords(tokens[dest]!, both)} attends to ${tokenWords(tokens[src]!, both)}`;
}

/** The whole line of a cell: its place and what all matrices of its head have there, this matrix’s own value first. */
export function cellSentence(own: PatternMatrix, matrices: readonly PatternMatrix[], cell: PatternCell): string {
  const rest = matrices.filter((matrix) => matrix !== own);
  return `${cellPlace(own, cell)}: ${[own, ...rest].map((matrix) => `${matrix.title} ${cellValue(matrix, cell)}`).join(', ')}`;
}
