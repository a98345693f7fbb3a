import type { RunSummary } from '../../src/shared/panelProtocol';
import { SITES, type SiteName } from '../../src/shared/sites';
import type { HeadPositions, Matrix, ViewOptions } from '../../src/shared/views';
import { headsBehind, positionsBehind } from './behind';
import { formatScore } from './format';
import { rankAt, valueAt, type HeatmapModel } from './heatmap';
import { columnToken, listTexts, type TokenColumn } from './tokens';

/** What the tooltip, the details and the live region say about a cell. */
export interface CellDescription {
  /** L9H6, or L9 · 14 “ to”. */
  title: string;
  /** The sentence for the live region: layer 9, head 6, +0.31, rank 1. */
  sentence: string;
  value: number;
  unit: string;
  rank: number;
  cells: number;
  /** What stands at this position when that does not fit in the title. */
  tokens?: string;
  behind: Behind;
}

export type Behind =
  | { state: 'loading'; heading: string }
  | { state: 'failed'; heading: string; message: string }
  | { state: 'none'; message: string }
  | { state: 'ready'; heading: string; items: BehindItem[]; more: number };

export interface BehindItem {
  label: string;
  value: number;
}

/** What is known so far of the numbers behind a cell. */
export type Loaded = { state: 'loading' } | { state: 'failed'; message: string } | { state: 'ready'; details: { group: number; detail: Matrix }[] };

export function headName(layer: number, head: number): string {
  return `L${layer}H${head}`;
}

export function positionName(layer: number, position: number): string {
  return `L${layer}P${position}`;
}

export function unitName({ unit }: ViewOptions): string {
  return unit === 'normalised' ? 'normalised' : 'raw logits';
}

export interface HeadPlace {
  layer: number;
  head: number;
}

export function describeHead(
  { layer, head }: HeadPlace,
  map: HeatmapModel,
  positions: HeadPositions,
  options: ViewOptions,
  columns: readonly (readonly TokenColumn[])[],
  loaded: Loaded,
  most: number,
): CellDescription {
  const value = valueAt(map, layer, head);
  const rank = rankAt(map, layer, head);
  const heading = positions === 'last' ? 'Its strongest positions (the map shows the last one)' : 'Its strongest positions';
  const several = loaded.state === 'ready' && loaded.details.length > 1;
  return {
    title: headName(layer, head),
    sentence: `layer ${layer}, head ${head}, ${formatScore(value)}, rank ${rank}`,
    value,
    unit: unitName(options),
    rank,
    cells: map.matrix.values.length,
    behind: behind(loaded, heading, (details) =>
      positionsBehind(details, head, Infinity).map(({ group, position, value: score }) => {
        const column = columns[group]![position]!;
        return { label: `${columnPlace(column)} ${columnToken(column)}${several ? ` (${columns[group]!.length} tokens)` : ''}`, value: score };
      }),
      most,
    ),
  };
}

export interface PositionPlace {
  layer: number;
  position: number;
}

const NO_HEADS: Partial<Record<SiteName, string>> = {
  mlp_out: 'No heads: this is the MLP’s output.',
  resid_pre: 'No heads: this is the residual stream as it enters the layer, the sum of all that was written before.',
};

export function describePosition(
  { layer, position }: PositionPlace,
  map: HeatmapModel,
  site: SiteName,
  options: ViewOptions,
  column: TokenColumn,
  loaded: Loaded,
  most: number,
): CellDescription {
  const value = valueAt(map, layer, position);
  const rank = rankAt(map, layer, position);
  const noHeads = NO_HEADS[site];
  return {
    title: `L${layer} · ${columnPlace(column)} ${columnToken(column)}`,
    sentence: `layer ${layer}, ${positionWords(column)}, ${formatScore(value)}, rank ${rank}`,
    value,
    unit: unitName(options),
    rank,
    cells: map.matrix.values.length,
    tokens: fullTokens(column),
    behind: column.shared
      ? { state: 'none', message: 'Before the first difference: exactly 0.' }
      : noHeads !== undefined
        ? { state: 'none', message: noHeads }
        : behind(loaded, `Strongest heads of layer ${layer} here`, ([first]) =>
            headsBehind(first!.detail, position, Infinity).map(({ head, value: score }) => ({ label: headName(layer, head), value: score })),
            most,
          ),
  };
}

function behind(loaded: Loaded, heading: string, itemsOf: (details: { group: number; detail: Matrix }[]) => BehindItem[], most: number): Behind {
  if (loaded.state === 'loading') return { state: 'loading', heading };
  if (loaded.state === 'failed') return { state: 'failed', heading, message: loaded.message };
  // What contributes exactly nothing is no answer to "what stands behind it".
  const items = itemsOf(loaded.details).filter(({ value }) => value !== 0);
  return items.length === 0
    ? { state: 'none', message: 'Nothing behind it: every contribution is exactly 0.' }
    : { state: 'ready', heading, items: items.slice(0, most), more: Math.max(0, items.length - most) };
}

/** 14, or END for a group that only has the metric's position. */
export function columnPlace(column: TokenColumn): string {
  return column.last && column.position === 0 ? 'END' : String(column.position);
}

export function positionWords(column: TokenColumn): string {
  return `${column.last && column.position === 0 ? 'last position' : `position ${column.position}`} ${columnToken(column)}`;
}

/** Clean and corrupted texts in full, where the short name left something out. */
export function fullTokens(column: TokenColumn): string | undefined {
  if (column.clean.length === 1 && column.corrupted.length === 1) return undefined;
  if (!column.differs) return listTexts(column.clean);
  return `clean ${listTexts(column.clean)}; corrupted ${listTexts(column.corrupted)}`;
}

export function columnTitle(column: TokenColumn): string {
  const remarks = [column.differs ? 'clean and corrupted differ' : '', column.shared ? 'before the first difference' : '', column.last ? 'the metric’s position' : ''];
  return [positionWords(column), ...remarks].filter((part) => part !== '').join(', ');
}

export function siteCaption(site: SiteName, run: Pick<RunSummary, 'model'>): string {
  return site === 'z' ? `Summed over the ${run.model.heads} heads of each layer.` : SITES[site].description;
}
