import type { Metric, TokenPair } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import type { Part } from './exactCells';
import { fromEnd, metricPosition, rangeOf } from './metricPositions';

/**
 * What a metric can see of one pair's run, in positions of the base prompt. A patch that reaches none of it has an effect of
 * exactly 0 and need not be run.
 */
export interface Sight {
  layers: number;
  /** Positions of the residual stream after the last block that are read, ascending. */
  stream: readonly number[];
  /** An activation that is read instead of the stream. */
  activation?: { site: 'pattern' | 'mlp_post'; layer: number; index: number; at: number; source?: number };
}

/** `length`: tokens of the pair's base prompt in the runs. */
export function sightOf(metric: Metric, pair: TokenPair, layers: number, length: number): Sight {
  const inBase = (position: number): number => length - 1 - fromEnd(pair, position);
  if (metric === 'promptLogProb') {
    const [first, last] = rangeOf(pair);
    return { layers, stream: Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => inBase(first + i)) };
  }
  const at = inBase(metricPosition(pair));
  if (typeof metric === 'string' || metric.activation === 'directLogit') return { layers, stream: [at] };
  if (metric.activation === 'neuron') return { layers, stream: [], activation: { site: 'mlp_post', layer: metric.layer, index: metric.neuron, at } };
  return { layers, stream: [], activation: { site: 'pattern', layer: metric.layer, index: metric.head, at, source: pair.source === undefined ? undefined : inBase(pair.source) } };
}

/** Whether replacing this part can change the metric. False only where it certainly cannot. */
export function reaches(part: Part, sight: Sight): boolean {
  if (part.first >= part.end) return false;
  // Hidden by the causal mask in both runs.
  if (part.source !== undefined && part.source >= part.end) return false;
  const { activation, stream, layers } = sight;
  if (activation) return reachesActivation(part, activation);
  const furthest = stream.at(-1);
  if (furthest === undefined || part.first > furthest) return false;
  return part.layer < layers - 1 || movesOn(part.site) || stream.some((position) => covers(part, position));
}

function reachesActivation(part: Part, { site, layer, index, at, source }: NonNullable<Sight['activation']>): boolean {
  if (part.layer > layer || part.first > at) return false;
  if (part.layer < layer || part.site === 'embed' || part.site === 'resid_pre') return true;
  if (site === 'mlp_post') {
    switch (part.site) {
      case 'k':
      case 'v':
        return true;
      case 'mlp_post':
        return covers(part, at) && (part.neuron ?? index) === index;
      case 'mlp_out':
      case 'resid_post':
        return false;
      default:
        return covers(part, at);
    }
  }
  const sameHead = (part.head ?? index) === index;
  switch (part.site) {
    case 'k':
      return sameHead;
    case 'q':
    case 'scores':
      return sameHead && covers(part, at);
    case 'pattern':
      return sameHead && covers(part, at) && (part.source ?? source) === source;
    default:
      return false;
  }
}

/** Sites that other positions of the same layer read. */
function movesOn(site: SiteName): boolean {
  return site === 'embed' || site === 'resid_pre' || site === 'k' || site === 'v';
}

function covers({ first, end }: Part, position: number): boolean {
  return position >= first && position < end;
}
