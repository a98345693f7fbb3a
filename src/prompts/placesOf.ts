import { firstDifference, type Place, type TextPair, type TokenPair } from '../shared/experiment';
import type { TokenizedPair } from './tokenizedPair';
import { resolvePlace } from './resolvePlace';
import { isAblation, type Settings } from './rules';

export type MetricPlaces = Pick<TokenPair, 'at' | 'source' | 'range'>;

/**
 * Where the metric is read in one pair, as token indices of the clean prompt (BOS counted, not negative); or the first place that
 * the pair does not have. The last position is left out. `promptLogProb` without a range: from the first difference (with no
 * corrupted prompt from the start) to the last but one; empty, its first behind its last, where nothing follows the difference.
 */
export function placesOf(
  pair: TextPair,
  { clean, corrupted }: TokenizedPair,
  { bosPrepended, settings }: { bosPrepended: boolean; settings: Pick<Settings, 'metric' | 'at' | 'source' | 'range' | 'other'> },
): MetricPlaces | { missing: { field: 'at' | 'source' | 'range'; place: Place } } {
  const length = clean.tokens.length + (bosPrepended ? 1 : 0);
  const resolve = (place: Place): number | undefined => resolvePlace(place, pair, clean, bosPrepended);
  const { metric, at, source, range } = settings;
  for (const [field, place] of [['at', at], ['source', source], ['range', range?.[0]], ['range', range?.[1]]] as const) {
    if (place !== undefined && resolve(place) === undefined) return { missing: { field, place } };
  }
  const places: MetricPlaces = {};
  const position = at === undefined ? undefined : resolve(at);
  if (position !== undefined && position < length - 1) places.at = position;
  if (source !== undefined) places.source = resolve(source)!;
  if (range) places.range = [resolve(range[0])!, resolve(range[1])!];
  else if (metric === 'promptLogProb') places.range = [startOf(clean, isAblation(settings.other) ? undefined : corrupted) + (bosPrepended ? 1 : 0), length - 2];
  return places;
}

/** First position at which the prompts differ, BOS not counted. */
function startOf(clean: TokenizedPair['clean'], corrupted: TokenizedPair['corrupted']): number {
  const ids = ({ tokens }: TokenizedPair['clean']): number[] => tokens.map(({ id }) => id);
  return corrupted ? (firstDifference(ids(clean), ids(corrupted)) ?? 0) : 0;
}
