import type { RunSummary } from '../../src/shared/panelProtocol';
import type { Metric } from '../../src/shared/experiment';
import { metricUnit } from '../../src/shared/metrics';
import type { PatchCell } from '../../src/shared/results';
import { hasHeads, SITES, type SiteName } from '../../src/shared/sites';
import type { TokenColumn } from '../../src/shared/tokenColumns';
import type { HeadPositions, Matrix, ViewOptions } from '../../src/shared/views';
import { headsBehind, positionsBehind } from './behind';
import { formatScore } from './format';
import { rankAt, valueAt, type HeatmapModel } from './heatmap';
import { columnToken, listTexts } from './tokens';

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
  /** By exact patching; undefined where it was not measured. */
  exact?: number;
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
  /** The part of the model that it is; absent where it is no one part. */
  unit?: PatchCell;
  /** Its effect by exact patching, as far as it was measured. */
  exact?: number;
}

/** What is known so far of the numbers behind a cell. */
export type Loaded = { state: 'loading' } | { state: 'failed'; message: string } | { state: 'ready'; details: { group: number; detail: Matrix }[] };

export function headName(layer: number, head: number): string {
  return `L${layer}H${head}`;
}

export function positionName(layer: number, position: number): string {
  return `L${layer}P${position}`;
}

/** What a cell's description is made of, whichever map it is of. */
export interface Described {
  /** The estimates, by which cells are ranked. */
  map: HeatmapModel;
  exact?: number;
  options: ViewOptions;
  metric: Metric;
  loaded: Loaded;
  /** The part that stands behind the cell: a head at a position. Of a position's cell only the head is named. */
  unitOf?: (place: { head: number; group?: number; position?: number }) => PatchCell;
  /** How many of what stands behind it are named. */
  most: number;
}

export interface HeadPlace {
  layer: number;
  head: number;
}

/** `columns`: of every length group. */
export function describeHead({ layer, head }: HeadPlace, positions: HeadPositions, columns: readonly (readonly TokenColumn[])[], described: Described): CellDescription {
  const { loaded, most } = described;
  const numbers = numbersOf(described, layer, head);
  const atEnd = columns.every((own) => own.at(-1)?.last === true && own.at(-1)?.only !== 'metric');
  const heading = positions === 'last' ? `Its strongest positions (the map shows ${atEnd ? 'the last one' : 'the metric’s'})` : 'Its strongest positions';
  const several = loaded.state === 'ready' && loaded.details.length > 1;
  return {
    title: headName(layer, head),
    sentence: `layer ${layer}, head ${head}, ${spoken(numbers)}`,
    ...numbers,
    behind: behind(loaded, heading, (details) =>
      positionsBehind(details, head, Infinity).map(({ group, position, value: score }) => {
        const column = columns[group]![position]!;
        return { label: `${columnPlace(column)} ${columnToken(column)}${several ? ` (${columns[group]!.length} tokens)` : ''}`, value: score, ...(described.unitOf && { unit: described.unitOf({ head, group, position }) }) };
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
  resid_mid: 'No heads: this is the residual stream after the attention, the sum of all that was written before.',
  resid_post: 'No heads: this is the residual stream as it leaves the layer, the sum of all that was written so far.',
  embed: 'No heads: this is the token’s embedding.',
};

export function describePosition({ layer, position }: PositionPlace, site: SiteName, column: TokenColumn, described: Described): CellDescription {
  const { loaded, most } = described;
  const numbers = numbersOf(described, layer, position);
  const noHeads = NO_HEADS[site];
  return {
    title: `${rowLabel(site, layer)} · ${columnPlace(column)} ${columnToken(column)}`,
    sentence: `${rowName(site, layer)}, ${positionWords(column)}, ${spoken(numbers)}`,
    ...numbers,
    tokens: fullTokens(column),
    behind: column.shared
      ? { state: 'none', message: 'Before the first difference: exactly 0.' }
      : noHeads !== undefined
        ? { state: 'none', message: noHeads }
        : behind(loaded, `Strongest heads of layer ${layer} here`, ([first]) =>
            headsBehind(first!.detail, position, Infinity).map(({ head, value: score }) => ({ label: headName(layer, head), value: score, ...(described.unitOf && { unit: described.unitOf({ head }) }) })),
            most,
          ),
  };
}

/** A row of a map: L9, or the one row of the embedding, which is in no layer. */
export function rowLabel(site: SiteName, layer: number): string {
  return site === 'embed' ? 'Emb' : `L${layer}`;
}

export function rowName(site: SiteName, layer: number): string {
  return site === 'embed' ? 'embedding' : `layer ${layer}`;
}

/** Label and words of a row. */
export function rowNames(site: SiteName, layer: number): { label: string; spoken: string } {
  return { label: rowLabel(site, layer), spoken: rowName(site, layer) };
}

type CellNumbers = Pick<CellDescription, 'value' | 'unit' | 'rank' | 'cells' | 'exact'>;

export function numbersOf({ map, exact, options, metric }: Described, row: number, column: number): CellNumbers {
  const unit = options.unit === 'normalised' ? 'normalised' : `raw ${metricUnit(metric)}`;
  return { value: valueAt(map, row, column), unit, rank: rankAt(map, row, column), cells: map.matrix.values.length, exact };
}

function spoken({ value, rank, exact }: CellNumbers): string {
  return `${formatScore(value)}, rank ${rank}${exact === undefined ? '' : `, exact ${formatScore(exact)}`}`;
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

/** 14, or END for a group that only has the last position, metric for one that only has another. */
export function columnPlace(column: TokenColumn): string {
  if (column.only === undefined) return String(column.position);
  return column.only === 'end' ? 'END' : 'metric';
}

export function positionWords(column: TokenColumn): string {
  const place = column.only === undefined ? `position ${column.position}` : column.only === 'end' ? 'last position' : 'the metric’s position';
  return `${place} ${columnToken(column)}`;
}

/** Clean and corrupted texts in full, where the short name left something out. */
export function fullTokens(column: TokenColumn): string | undefined {
  if (column.clean.length === 1 && column.corrupted.length === 1) return undefined;
  if (!column.differs) return listTexts(column.clean);
  return `clean ${listTexts(column.clean)}; corrupted ${listTexts(column.corrupted)}`;
}

export function columnTitle(column: TokenColumn): string {
  const remarks = [column.differs ? 'clean and corrupted differ' : '', column.shared ? 'before the first difference' : '', column.last && column.only !== 'metric' ? 'the metric’s position' : ''];
  return [positionWords(column), ...remarks].filter((part) => part !== '').join(', ');
}

export function siteCaption(site: SiteName, run: Pick<RunSummary, 'model'>): string {
  return `${SITES[site].description}${hasHeads(site) ? ` Summed over the ${run.model.heads} heads of each layer.` : ''}`;
}
