import type { RunSummary } from '../../src/shared/panelProtocol';
import { averagedRun, canNormalise, type MapOf, type ViewOptions } from '../../src/shared/views';
import { mapOf, sameSelection, sitesOf, type Selection, type ViewState } from '../model/viewState';

/** What the attention view keeps for itself over reloads. */
export interface AttentionChoice {
  /** While the panel shows all pairs. */
  pair: number;
  layer: number;
  /** In rising order, at least one. */
  heads: number[];
}

type ShapeOfRun = Pick<RunSummary, 'model'> & { pairs: readonly unknown[] };

/** What was kept, as far as it means something for this run, else the selected head; undefined where the person has chosen none. */
export function attentionChoice(run: ShapeOfRun, { selection, own }: Pick<ViewState, 'selection' | 'own'>): AttentionChoice | undefined {
  const { layers, heads } = run.model;
  const kept = (own.attention ?? {}) as Partial<Record<keyof AttentionChoice, unknown>>;
  const pair = isIndex(kept.pair, run.pairs.length) ? kept.pair : 0;
  const keptHeads = Array.isArray(kept.heads) ? kept.heads.filter((head) => isIndex(head, heads)) : [];
  if (isIndex(kept.layer, layers) && keptHeads.length > 0) return { pair, layer: kept.layer, heads: inOrder(keptHeads) };
  if (selection?.kind === 'head') return { pair, layer: selection.layer, heads: [selection.head] };
  return undefined;
}

/**
 * What is shown where nothing was chosen: the strongest head (of the selected layer, if there is one) by a layer × head map's
 * cells, strongest first; without a map the first head of the last layer.
 */
export function firstChoice({ model }: ShapeOfRun, selection: Selection | undefined, ranked: readonly { row: number; column: number }[]): AttentionChoice {
  const strongest = ranked.find(({ row }) => selection === undefined || row === selection.layer);
  const layer = strongest?.row ?? selection?.layer ?? model.layers - 1;
  return { pair: 0, layer, heads: [strongest?.column ?? 0] };
}

/** The layer × head map by which the view opens: of the patterns, which it shows, else of the heads' outputs. None in a run without attribution. */
export function openingMap(run: Pick<RunSummary, 'sites'>, state: ViewState): MapOf | undefined {
  const sites = sitesOf(run, 'heads');
  if (sites.length === 0) return undefined;
  const site = sites.find((name) => name === 'pattern') ?? sites.find((name) => name === 'z');
  return site ? { site, over: state.headPositions } : mapOf(state, 'heads');
}

/** What the attribution is shown in: a pair's own, divided by its own difference where the panel normalises and there is one. */
export function attributionOptions(run: Pick<RunSummary, 'pairs'>, pair: number, { unit }: Pick<ViewOptions, 'unit'>): ViewOptions & { pair: number } {
  const own = { pair, of: 'pair' } as const;
  return { ...own, unit: unit === 'normalised' && canNormalise(averagedRun(run, own)) ? 'normalised' : 'raw' };
}

/** The view goes along with a head that was selected elsewhere since `before`. */
export function followSelection(choice: AttentionChoice, before: Selection | undefined, now: Selection | undefined): AttentionChoice {
  if (now?.kind !== 'head' || sameSelection(before, now)) return choice;
  return { ...choice, layer: now.layer, heads: [now.head] };
}

/** The panel's pair, or while it shows all of them the one chosen here. */
export function attendedPair({ pair }: AttentionChoice, options: Pick<ViewOptions, 'pair'>): number {
  return options.pair === 'all' ? pair : options.pair;
}

/** Pressing a head's chip: shows it or takes it away; one always stays. */
export function toggleHead(heads: readonly number[], head: number): number[] {
  if (!heads.includes(head)) return inOrder([...heads, head]);
  return heads.length === 1 ? [...heads] : heads.filter((other) => other !== head);
}

function inOrder(heads: readonly number[]): number[] {
  return [...new Set(heads)].sort((a, b) => a - b);
}

function isIndex(value: unknown, extent: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < extent;
}
