import { metricTitle, metricUnit } from '../../src/shared/metrics';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { CircuitCurve, CircuitSummary, SelectedCircuit } from '../../src/shared/pathsProtocol';
import { plural } from '../../src/shared/text';
import type { ViewOptions } from '../../src/shared/views';
import { formatScore } from '../model/format';
import { ABLATIONS } from './ablations';

/** Figures of circuits in sentences: with which ablation, by which metric, on which pairs. */

const thousands = new Intl.NumberFormat('en-US');

export function edgesText(count: number): string {
  return `${thousands.format(count)} ${count === 1 ? 'edge' : 'edges'}`;
}

/** "87 %", "0.12 %": whole from 10 on. */
export function percentText(share: number): string {
  const percent = share * 100;
  const digits = Math.abs(percent) >= 9.95 ? 0 : Math.abs(percent) >= 0.995 || percent === 0 ? 1 : 2;
  const text = String(Number(percent.toFixed(digits)));
  return `${text === '-0' ? '0' : text.replace('-', '−')} %`;
}

/** "42 of 761 edges (5.5 %), 17 nodes; 60 edges before dangling ones were pruned" */
export function selectedText({ edges, nodes, chosen, total }: SelectedCircuit): string {
  if (chosen === 0) return 'No edge is that strong: lower the threshold.';
  if (edges === 0) return `The ${chosen === 1 ? 'chosen edge leads' : `${edgesText(chosen)} chosen lead`} nowhere from the input to the logits: choose more, or do not prune.`;
  const before = chosen === edges ? '' : `; ${edgesText(chosen)} before dangling ones were pruned`;
  return `${thousands.format(edges)} of ${edgesText(total)} (${percentText(edges / total)}), ${plural(nodes, 'node')}${before}`;
}

/** Of a share that rounds to nothing. */
export function noEdgeText(percent: number, total: number): string {
  const least = Math.ceil(10_000 / total) / 100;
  return `${percent} % of ${edgesText(total)} is no whole edge: from ${least} % on there is one.`;
}

/** "logit difference, mean of 8 pairs" */
export function measuredOn({ metric, pairs }: Pick<RunSummary, 'metric' | 'pairs'>): string {
  return `${metricTitle(metric)}, ${pairs.length === 1 ? 'one pair' : `mean of ${pairs.length} pairs`}`;
}

/** Which scores a selection goes by. */
export function scoresOf({ pairs }: Pick<RunSummary, 'pairs'>, { pair }: ViewOptions): string {
  if (pair === 'all') return pairs.length === 1 ? 'by the scores of the one pair' : `by the mean scores of ${pairs.length} pairs`;
  return `by the scores of “${pairs[pair]!.name}”`;
}

/** What faithfulness says of a circuit, for someone who has not heard of it. */
export function faithfulnessSentences(run: Pick<RunSummary, 'metric' | 'pairs'>, { faithfulness }: Pick<CircuitSummary, 'faithfulness'>): string[] {
  if (!faithfulness) return ['It was not run on this run’s pairs yet.'];
  const { ablation, metric, full, empty, value, knockedOut } = faithfulness;
  const title = metricTitle(run.metric);
  const measured = `${title} ${formatScore(metric)}, where the whole model has ${formatScore(full)} and no edge at all ${formatScore(empty)} (raw ${metricUnit(run.metric)}, ${measuredOn(run).split(', ').at(-1)!})`;
  const outside = `With every other edge ${ABLATIONS[ablation].carrying}, `;
  if (value === null) return [`${outside}the ${title} of the whole model and that of no edge at all differ by less than 0.001: there is nothing that a circuit could keep, and so no faithfulness.`];
  const kept =
    value < 0
      ? `the circuit does worse than no edge at all, by ${percentText(-value)} of what the whole model adds`
      : `the circuit keeps ${percentText(value)} of what the whole model adds${value > 1 ? ', more than all of it' : ''}`;
  return [
    `${outside}${kept}: ${measured}.`,
    ...(knockedOut === undefined || knockedOut === null ? [] : [`Knocked out, with its own edges ${ABLATIONS[ablation].carrying} and all others as they are, ${percentText(knockedOut)} is left: the nearer to 0, the less of its work is done elsewhere.`]),
  ];
}

/** For the live region. */
export function keptSentence({ name, edges, faithfulness }: CircuitSummary): string {
  const value = faithfulness?.value;
  return `Kept circuit ${name}: ${edgesText(edges)}${value === undefined || value === null ? '' : `, faithfulness ${value.toFixed(3)} (${ABLATIONS[faithfulness!.ablation].label.toLowerCase()})`}`;
}

/** Below this many pairs a bootstrap draws from next to nothing. */
const FEW_PAIRS = 20;

export function stabilityText({ mean, low, high, samples }: { mean: number; low: number; high: number; samples: number }, pairs: number): string {
  const few = pairs < FEW_PAIRS ? ` Of ${pairs} pairs alone that says little.` : '';
  return `Pairs drawn anew ${samples} times: such circuits share ${percentText(mean)} of their edges with this one in the mean (5–95 %: ${percentText(low)} to ${percentText(high)}; Jaccard).${few}`;
}

export function overlapText({ shared, either, jaccard }: { shared: number; either: number; jaccard: number }): string {
  return `${edgesText(shared)} in both of ${thousands.format(either)} in either: Jaccard ${jaccard.toFixed(3)}.`;
}

/** What a curve leaves out. */
export function leftOutText({ leftOut, points }: Pick<CircuitCurve, 'leftOut' | 'points'>, total: number): string | undefined {
  if (leftOut === 0) return undefined;
  const [first] = points;
  const least = first ? `: the areas start at ${percentText(first.share)} and do not compare with those of larger models` : '';
  return `${leftOut === 1 ? 'One of MIB’s budgets comes' : `${leftOut} of MIB’s ${leftOut + points.length} budgets come`} to no edge of ${thousands.format(total)} and ${leftOut === 1 ? 'is' : 'are'} left out${least}.`;
}
