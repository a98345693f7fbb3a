import type { RunSummary } from '../../src/shared/panelProtocol';
import type { ViewState } from '../model/viewState';
import type { CellOrder } from './strongestCells';
import type { PatternKind } from './patterns';

/** What the attention view keeps for itself over reloads. */
export interface AttentionChoice {
  pair: number;
  layer: number;
  /** In rising order, at least one. */
  heads: number[];
}

type ShapeOfRun = Pick<RunSummary, 'model'> & { pairs: readonly unknown[] };

/** What was kept, as far as it means something for this run; else the panel's pair and selected head, else the first of each. */
export function attentionChoice(run: ShapeOfRun, state: ViewState): AttentionChoice {
  const { layers, heads } = run.model;
  const { selection, options } = state;
  const kept = (state.own.attention ?? {}) as Partial<Record<keyof AttentionChoice, unknown>>;
  const pair = isIndex(kept.pair, run.pairs.length) ? kept.pair : options.pair === 'all' ? 0 : options.pair;
  const keptHeads = Array.isArray(kept.heads) ? kept.heads.filter((head) => isIndex(head, heads)) : [];
  if (isIndex(kept.layer, layers) && keptHeads.length > 0) return { pair, layer: kept.layer, heads: inOrder(keptHeads) };
  if (selection?.kind === 'head') return { pair, layer: selection.layer, heads: [selection.head] };
  return { pair, layer: selection?.layer ?? layers - 1, heads: [0] };
}

/** The panel's choice has changed from `before`: the view goes along with a newly selected head and a newly chosen pair. */
export function followPanel(choice: AttentionChoice, before: ViewState, now: ViewState): AttentionChoice {
  const { selection } = now;
  const { pair } = now.options;
  const newPair = pair !== before.options.pair && pair !== 'all' ? { pair } : {};
  const selected = selection?.kind === 'head' && JSON.stringify(selection) !== JSON.stringify(before.selection);
  return { ...choice, ...newPair, ...(selected && { layer: selection.layer, heads: [selection.head] }) };
}

/** Pressing a head's chip: shows it or takes it away; one always stays. */
export function toggleHead(heads: readonly number[], head: number): number[] {
  if (!heads.includes(head)) return inOrder([...heads, head]);
  return heads.length === 1 ? [...heads] : heads.filter((other) => other !== head);
}

/** The first order of the table: what matters most to the metric, else what is attended to most. */
export function firstOrder(kinds: readonly PatternKind[]): CellOrder {
  return { by: kinds.includes('attribution') ? 'attribution' : 'clean', descending: true };
}

function inOrder(heads: readonly number[]): number[] {
  return [...new Set(heads)].sort((a, b) => a - b);
}

function isIndex(value: unknown, extent: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < extent;
}
