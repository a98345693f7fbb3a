import type { RunSummary } from '../../src/shared/panelProtocol';
import type { Direction, Metric } from '../../src/shared/experiment';
import type { BackendName } from '../../src/shared/results';
import type { ViewOptions } from '../../src/shared/views';
import { formatScore, formatSeconds, plural } from './format';

export interface Fact {
  name: string;
  value: string;
  /** A second line, also the tooltip. */
  detail?: string;
}

const DIRECTION: Record<Direction, { short: string; words: string }> = {
  denoise: { short: 'denoise', words: 'clean patched into corrupted' },
  noise: { short: 'noise', words: 'corrupted patched into clean' },
};

const METRIC: Record<Metric, { short: string; words: string }> = {
  logitDiff: { short: 'logit difference', words: 'correct − incorrect, at the last position' },
};

const BACKEND: Record<BackendName, string> = {
  'wasm-threads': 'WebAssembly, threads',
  'wasm-simd': 'WebAssembly, SIMD',
  wasm: 'WebAssembly',
  cpu: 'JavaScript',
};

export function runFacts(run: RunSummary): Fact[] {
  const { model, pairs, groups, backend, timings } = run;
  const mean = (side: 'clean' | 'corrupted'): number => pairs.reduce((sum, { logitDiff }) => sum + logitDiff[side], 0) / pairs.length;
  return [
    { name: 'Model', value: model.id, detail: `${plural(model.layers, 'layer')} × ${plural(model.heads, 'head')}, ${model.dtype}` },
    { name: 'Pairs', value: String(pairs.length), detail: lengthsText(groups) },
    { name: 'Direction', value: DIRECTION[run.direction].short, detail: DIRECTION[run.direction].words },
    { name: 'Metric', value: METRIC[run.metric].short, detail: METRIC[run.metric].words },
    { name: 'BOS', value: run.prependBos ? 'prepended' : 'not prepended' },
    {
      name: pairs.length === 1 ? 'Logit difference' : 'Logit difference, mean',
      value: `clean\u00a0${formatScore(mean('clean'))}, corrupted\u00a0${formatScore(mean('corrupted'))}`,
      detail: 'raw logits',
    },
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

/** Stands under every view: direction, metric with its unit, BOS, and which pairs. */
export function viewCaption(run: RunSummary, options: ViewOptions): string {
  const unit = options.unit === 'normalised' ? 'normalised: 0 corrupted … 1 clean' : 'raw logits';
  const pairs =
    options.pair === 'all'
      ? run.pairs.length === 1
        ? 'one pair'
        : `mean of ${run.pairs.length} pairs`
      : `${run.pairs[options.pair]!.name}${run.pairs.length > 1 ? `: its share of the mean of ${run.pairs.length}` : ''}`;
  return [
    `${DIRECTION[run.direction].short} (${DIRECTION[run.direction].words})`,
    `${METRIC[run.metric].short}, ${unit}`,
    run.prependBos ? 'BOS prepended' : 'no BOS',
    pairs,
  ].join(' · ');
}
