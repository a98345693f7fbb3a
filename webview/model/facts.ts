import type { RunSummary } from '../../src/shared/panelProtocol';
import type { BackendName } from '../../src/shared/results';
import type { ViewOptions } from '../../src/shared/views';
import { directionWords, metricPlace, metricWords, OTHER_WORDS, variantWords } from './experiment';
import { formatScore, formatSeconds, plural } from './format';

export interface Fact {
  name: string;
  value: string;
  /** A second line, also the tooltip. */
  detail?: string;
}

const BACKEND: Record<BackendName, string> = {
  'wasm-threads': 'WebAssembly, threads',
  'wasm-simd': 'WebAssembly, SIMD',
  wasm: 'WebAssembly',
  cpu: 'JavaScript',
};

export function runFacts(run: RunSummary): Fact[] {
  const { model, pairs, groups, backend, timings, other, direction } = run;
  const metric = metricWords(run.metric);
  const clean = meanMetric(run, 'clean')!;
  const corrupted = meanMetric(run, 'corrupted');
  const variant = variantWords(run.variant);
  return [
    { name: 'Model', value: model.id, detail: `${plural(model.layers, 'layer')} × ${plural(model.heads, 'head')}, ${model.dtype}` },
    { name: 'Pairs', value: String(pairs.length), detail: `${lengthsText(groups)}, BOS ${run.prependBos ? 'prepended' : 'not prepended'}` },
    other === 'corrupted'
      ? { name: 'Direction', value: direction, detail: directionWords(run) }
      : { name: 'Direction', value: `${direction}, ${OTHER_WORDS[other].short}`, detail: directionWords(run) },
    { name: 'Metric', value: metric.short, detail: [metric.words, metricPlace(run)].filter((part) => part !== '').join(', ') },
    {
      name: pairs.length === 1 ? 'Metric of the pair' : 'Metric, mean',
      value: `clean\u00a0${formatScore(clean)}` + (corrupted === undefined ? '' : `, ${otherSide(run)}\u00a0${formatScore(corrupted)}`),
      detail: `raw ${metric.unit}`,
    },
    { name: 'Variant', value: variant.length === 0 ? 'plain gradient' : variant.join(' + '), detail: variant.length === 0 ? 'gradient at the base run × difference' : undefined },
    {
      name: 'Time',
      value: formatSeconds(timings.run),
      detail: timings.load > 0 ? `model loaded in ${formatSeconds(timings.load)}` : 'model was loaded already',
    },
    {
      name: 'Backend',
      value: BACKEND[backend.name] + (backend.threads > 1 ? ` (${backend.threads})` : ''),
      detail: backend.note,
    },
  ];
}

/** "14 tokens each", or "6 with 14 tokens, 2 with 15". */
export function lengthsText(groups: RunSummary['groups']): string {
  const [first, ...others] = groups.map(({ pairs, length }) => ({ count: pairs.length, length }));
  if (!first) return '';
  const tokens = plural(first.length, 'token');
  if (others.length === 0) return first.count === 1 ? tokens : `${tokens} each`;
  return [`${first.count} with ${tokens}`, ...others.map(({ count, length }) => `${count} with ${length}`)].join(', ');
}

/** Mean of the metric over the pairs; absent where nothing is corrupted. */
function meanMetric({ pairs }: RunSummary, side: 'clean' | 'corrupted'): number | undefined {
  const values = pairs.flatMap(({ metric }) => metric[side] ?? []);
  return values.length === pairs.length ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
}

/** What a run's other side is called where it has a metric of its own. */
export function otherSide({ other }: Pick<RunSummary, 'other'>): string {
  return other === 'resample' ? 'other pair' : 'corrupted';
}

/** "normalised: 0 corrupted … 1 clean", or the metric's own unit. */
export function unitWords(run: Pick<RunSummary, 'metric' | 'pairs' | 'other'>, unit: ViewOptions['unit']): string {
  if (unit === 'raw') return `raw ${metricWords(run.metric).unit}`;
  return run.pairs[0]?.metric.corrupted === undefined ? 'normalised: share of the clean metric' : `normalised: 0 ${otherSide(run)} … 1 clean`;
}

/** Stands under every view: direction, metric with its unit, what departs from the plain gradient, BOS, and which pairs. */
export function viewCaption(run: RunSummary, options: ViewOptions): string {
  const pairs =
    options.pair === 'all'
      ? run.pairs.length === 1
        ? 'one pair'
        : `mean of ${run.pairs.length} pairs`
      : `${run.pairs[options.pair]!.name}${run.pairs.length > 1 ? `: its share of the mean of ${run.pairs.length}` : ''}`;
  return [
    `${run.direction} (${directionWords(run)})`,
    `${metricWords(run.metric).short}, ${unitWords(run, options.unit)}`,
    ...variantWords(run.variant),
    run.prependBos ? 'BOS prepended' : 'no BOS',
    pairs,
  ].join(' · ');
}
