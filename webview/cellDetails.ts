import type { RunSummary } from '../src/shared/panelProtocol';
import type { SiteName } from '../src/shared/sites';
import type { HeadPositions, ViewOptions } from '../src/shared/views';
import { headsBehind, positionsBehind } from './model/behind';
import { columnPlace, describeHead, describePosition, headName, type CellDescription, type Loaded } from './model/describe';
import { formatScore } from './model/format';
import type { HeatmapModel } from './model/heatmap';
import { cleanToken, tokenColumns, type TokenColumn } from './model/tokens';
import type { Selection, ViewState } from './model/viewState';
import type { Numbers } from './numbers';
import type { Cell } from './view/heatmapDrawing';

/** What is on the screen: descriptions and copies are of this, even while other numbers are on their way. */
export interface DrawnHeads {
  options: ViewOptions;
  positions: HeadPositions;
  model: HeatmapModel;
}

export interface DrawnPositions {
  options: ViewOptions;
  group: number;
  site: SiteName;
  model: HeatmapModel;
  columns: TokenColumn[];
}

/** Runs whose layer details are no larger than this in all are fetched ahead; of others only what the table names. */
const PREFETCH_BYTES = 600_000;
const AT_ONCE = 4;
/** What is marked as standing behind the selection: at most so many, each at least this share of the strongest. */
const MOST_RELATED = 5;
const RELATED_SHARE = 0.1;

/** What stands behind the cells of a run: heads behind positions and positions behind heads, as far as the numbers are here. */
export class CellDetails {
  constructor(
    private readonly run: RunSummary,
    private readonly numbers: Numbers,
  ) {}

  ofHead({ model, options, positions }: DrawnHeads, { row, column }: Cell, most: number): CellDescription {
    const columns = this.run.groups.map((group) => tokenColumns(this.run.pairs, group, options.pair));
    const loaded = this.load(options, this.shownGroups(options.pair), row);
    return describeHead({ layer: row, head: column }, model, positions, options, columns, loaded, most);
  }

  ofPosition({ model, options, group, site, columns }: DrawnPositions, { row, column }: Cell, most: number): CellDescription {
    const token = columns[column]!;
    const loaded: Loaded = madeOfHeads(site) && !token.shared ? this.load(options, [group], row) : { state: 'loading' };
    return describePosition({ layer: row, position: column }, model, site, options, token, loaded, most);
  }

  /** "14 “ to”", as far as it is known. */
  strongestPosition({ options }: DrawnHeads, { row, column }: Cell): string | undefined {
    const details = this.shownGroups(options.pair).map((group) => ({ group, detail: this.numbers.knownLayerDetail(options, group, row) }));
    const known = details.flatMap(({ group, detail }) => (detail ? [{ group, detail }] : []));
    if (known.length < details.length) return undefined;
    const [strongest] = positionsBehind(known, column, 1);
    if (!strongest || strongest.value === 0) return '–';
    const token = tokenColumns(this.run.pairs, this.run.groups[strongest.group]!, options.pair)[strongest.position]!;
    return `${columnPlace(token)} ${cleanToken(token)}`;
  }

  /** "L9H6 +0.31", as far as it is known. */
  strongestHead({ options, group, site, columns }: DrawnPositions, { row, column }: Cell): string | undefined {
    if (!madeOfHeads(site) || columns[column]!.shared) return '–';
    const detail = this.numbers.knownLayerDetail(options, group, row);
    if (!detail) return undefined;
    const [strongest] = headsBehind(detail, column, 1);
    return strongest && strongest.value !== 0 ? `${headName(row, strongest.head)} ${formatScore(strongest.value)}` : '–';
  }

  /** Cells of the head map that stand behind a selected position. */
  relatedHeads(selection: Selection | undefined, { options, site }: ViewState): Cell[] {
    if (selection?.kind !== 'position' || !madeOfHeads(site)) return [];
    const detail = this.numbers.knownLayerDetail(options, selection.group, selection.layer);
    if (!detail) return [];
    return strongOnes(headsBehind(detail, selection.position, MOST_RELATED)).map(({ head }) => ({ row: selection.layer, column: head }));
  }

  /** Cells of the positions map that stand behind a selected head. */
  relatedPositions(selection: Selection | undefined, { options, group, site }: ViewState): Cell[] {
    if (selection?.kind !== 'head' || !madeOfHeads(site)) return [];
    const detail = this.numbers.knownLayerDetail(options, group, selection.layer);
    if (!detail) return [];
    return strongOnes(positionsBehind([{ group, detail }], selection.head, MOST_RELATED)).map(({ position }) => ({ row: selection.layer, column: position }));
  }

  /** Fetches what hovering will ask for, a few messages at a time; `strongest`: what the table names, strongest first. */
  prefetch(options: ViewOptions, model: HeatmapModel, strongest: readonly Cell[]): void {
    const { layers, heads } = this.run.model;
    const groups = this.shownGroups(options.pair);
    const bytes = groups.reduce((sum, group) => sum + this.run.groups[group]!.length * heads * layers * 4, 0);
    const wanted = bytes <= PREFETCH_BYTES ? model.ranked : strongest;
    for (const layer of new Set(wanted.map(({ row }) => row))) {
      for (const group of groups) {
        if (this.numbers.asking >= AT_ONCE) return;
        this.numbers.layerDetail(options, group, layer);
      }
    }
  }

  /** Length groups that the chosen pairs are in. */
  private shownGroups(pair: ViewOptions['pair']): number[] {
    return this.run.groups.flatMap(({ pairs }, group) => (pair === 'all' || pairs.includes(pair) ? [group] : []));
  }

  private load(options: ViewOptions, groups: readonly number[], layer: number): Loaded {
    const asked = groups.map((group) => ({ group, answer: this.numbers.layerDetail(options, group, layer) }));
    const details = [];
    for (const { group, answer } of asked) {
      if (answer.state !== 'ready') return answer;
      details.push({ group, detail: answer.value });
    }
    return { state: 'ready', details };
  }
}

function madeOfHeads(site: SiteName): boolean {
  return site === 'z' || site === 'attn_out';
}

function strongOnes<T extends { value: number }>(strongestFirst: readonly T[]): T[] {
  const least = Math.abs(strongestFirst[0]?.value ?? 0) * RELATED_SHARE;
  return strongestFirst.filter(({ value }) => value !== 0 && Math.abs(value) >= least);
}
