import { metricRead, metricTitle, metricUnit } from '../../src/shared/metrics';
import { directionWords, normalisedWords, OTHER_WORDS, otherSide } from '../../src/shared/otherSide';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { BackendName } from '../../src/shared/results';
import { plural } from '../../src/shared/text';
import { variantWords } from '../../src/shared/variants';
import type { ViewOptions } from '../../src/shared/views';
import { formatScore, formatSeconds } from './format';

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
  native: 'TensorFlow',
  'native-gpu': 'TensorFlow, GPU',
  webgpu: 'WebGPU',
};

export function runFacts(run: RunSummary): Fact[] {
  const { model, pairs, groups, backend, timings, other, direction } = run;
  const clean = meanMetric(run, 'clean')!;
  const corrupted = meanMetric(run, 'corrupted');
  const variant = variantWords(run);
  return [
    { name: 'Model', value: model.id, detail: `${plural(model.layers, 'layer')} × ${plural(model.heads, 'head')}, ${model.dtype}` },
    { name: 'Pairs', value: String(pairs.length), detail: `${lengthsText(groups)}, BOS ${run.prependBos ? 'prepended' : 'not prepended'}` },
    other === 'corrupted'
      ? { name: 'Direction', value: direction, detail: directionWords(run) }
      : { name: 'Direction', value: `${direction}, ${OTHER_WORDS[other].name}`, detail: directionWords(run) },
    { name: 'Metric', value: metricTitle(run.metric), detail: [metricRead(run.metric), metricPlace(run)].filter((part) => part !== '').join(', ') },
    {
      name: pairs.length === 1 ? 'Metric of the pair' : 'Metric, mean',
      value: `clean\u00a0${formatScore(clean)}` + (corrupted === undefined ? '' : `, ${otherSide(run)}\u00a0${formatScore(corrupted)}`),
      detail: `raw ${metricUnit(run.metric)}`,
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

/** Where the metric is read. */
export function metricPlace({ metric, pairs }: Pick<RunSummary, 'metric' | 'pairs'>): string {
  if (metric === 'continuation' || metric === 'promptLogProb') return '';
  const places = [...new Set(pairs.map(({ at }) => at))];
  const [place] = places;
  if (places.length > 1) return 'at each pair’s own position';
  return place === undefined ? 'at the last position' : `at position ${place}`;
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

/** "normalised: 0 corrupted … 1 clean", or the metric's own unit. */
export function scaleWords(run: Pick<RunSummary, 'metric' | 'pairs' | 'other' | 'variant'>, { pair, unit, of }: ViewOptions): string {
  if (unit === 'raw') return `raw ${metricUnit(run.metric)}`;
  const several = run.pairs.length > 1;
  const whose = pair === 'all' || !several ? '' : of === 'pair' ? ' of this pair' : ' on the mean';
  // The metric of a run is that of its prompts without interventions; effects are counted from the run with them.
  if (run.variant.interventions?.length) return `normalised: 0 the run with the interventions … 1 as much as clean − ${otherSide(run)} without them${whose}`;
  return normalisedWords(run) + whose;
}

/** Stands under every view: direction, metric with its unit, what departs from the plain gradient, BOS, and which pairs. */
export function viewCaption(run: RunSummary, options: ViewOptions): string {
  const pairs =
    options.pair === 'all'
      ? run.pairs.length === 1
        ? 'one pair'
        : `mean of ${run.pairs.length} pairs`
      : `${run.pairs[options.pair]!.name}${run.pairs.length === 1 ? '' : options.of === 'pair' ? ': its own effect' : `: its share of the mean of ${run.pairs.length}`}`;
  return [
    `${run.direction} (${directionWords(run)})`,
    `${metricTitle(run.metric)}, ${scaleWords(run, options)}`,
    ...variantWords(run),
    run.prependBos ? 'BOS prepended' : 'no BOS',
    pairs,
  ].join(' · ');
}
