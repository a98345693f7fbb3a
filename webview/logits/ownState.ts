import type { RunSummary } from '../../src/shared/panelProtocol';
import type { ViewState } from '../model/viewState';
import type { ViewOptions } from '../../src/shared/views';

export type Shown = 'clean' | 'corrupted' | 'difference';
export const SHOWN: readonly Shown[] = ['clean', 'corrupted', 'difference'];

/** What the logits view keeps for itself over reloads. */
export interface LogitsChoice {
  /** Direct logit attribution of which run. */
  shown: Shown;
  /** The predictions' pair while the panel shows all pairs. */
  pair: number;
}

export function logitsChoice(run: Pick<RunSummary, 'pairs'>, state: ViewState): LogitsChoice {
  const kept = (state.own.logits ?? {}) as Partial<Record<keyof LogitsChoice, unknown>>;
  const alone = run.pairs[0]?.metric.corrupted === undefined;
  const shown = alone ? 'clean' : (SHOWN.find((name) => name === kept.shown) ?? 'clean');
  const { pair } = kept;
  const known = typeof pair === 'number' && Number.isInteger(pair) && pair >= 0 && pair < run.pairs.length;
  return { shown, pair: known ? pair : 0 };
}

/** The predictions are of one pair always: the panel's, or while it shows all of them the one chosen here. */
export function predictedPair({ pair }: LogitsChoice, options: Pick<ViewOptions, 'pair'>): number {
  return options.pair === 'all' ? pair : options.pair;
}
