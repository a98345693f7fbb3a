import type { RunSummary } from '../../src/shared/panelProtocol';
import { cellKey } from '../../src/shared/exact';
import { hasHeads, type SiteName } from '../../src/shared/sites';
import type { ViewOptions } from '../../src/shared/views';
import { tokenColumns } from '../../src/shared/tokenColumns';
import { headsBehind, positionsBehind } from '../model/behind';
import { columnPlace, describeHead, describePosition, headName, numbersOf, rowNames, type CellDescription, type Described, type Loaded } from '../model/describe';
import { formatScore } from '../model/format';
import { describeRole, pairsBehind } from '../model/roles';
import { cleanToken } from '../model/tokens';
import type { Selection, ViewState } from '../model/viewState';
import type { Numbers } from '../numbers';
import { exactAt, type DrawnMap } from './drawnMap';
import type { Cell } from './heatmapDrawing';

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

  of(drawn: DrawnMap, { row, column }: Cell, most: number): CellDescription {
    const { map, estimate, options, columns } = drawn;
    const common: Omit<Described, 'loaded'> = { map: estimate, exact: exactAt(drawn, row, column), options, metric: this.run.metric, most };
    if (map.over !== 'positions') {
      const groups = this.run.groups.map((group) => tokenColumns(this.run, group, options.pair));
      const loaded = this.load(options, map.site, this.shownGroups(options.pair), row);
      return describeHead({ layer: row, head: column }, map.over, groups, { ...common, loaded, unitOf: (place) => ({ site: map.site, layer: row, ...place }) });
    }
    if (drawn.roles) {
      const { roles } = drawn;
      const role = roles.columns[column]!;
      return describeRole(rowNames(map.site, row), role, numbersOf({ ...common, loaded: { state: 'loading' } }, row, column), pairsBehind(role, roles.maps, row), this.run, most);
    }
    const token = columns[column]!;
    const site = this.headsOf(map.site);
    const loaded: Loaded = site && !token.shared ? this.load(options, site, [map.group], row) : { state: 'loading' };
    return describePosition({ layer: row, position: column }, map.site, token, { ...common, loaded, ...(site && { unitOf: (place) => ({ site, group: map.group, layer: row, position: column, ...place }) }) });
  }

  /** With what was measured of what stands behind the cell: heads position by position. */
  withExact(description: CellDescription, options: ViewOptions): CellDescription {
    const { behind } = description;
    if (behind.state !== 'ready') return description;
    const exact = this.numbers.exactEffects(behind.items.flatMap(({ unit }) => unit ?? []), options);
    return { ...description, behind: { ...behind, items: behind.items.map((item) => ({ ...item, exact: item.unit && exact.get(cellKey(item.unit)) })) } };
  }

  /** "14 “ to”", as far as it is known. */
  strongestPosition({ options, map: { site } }: DrawnMap, { row, column }: Cell): string | undefined {
    const details = this.shownGroups(options.pair).map((group) => ({ group, detail: this.numbers.knownLayerDetail(options, site, group, row) }));
    const known = details.flatMap(({ group, detail }) => (detail ? [{ group, detail }] : []));
    if (known.length < details.length) return undefined;
    const [strongest] = positionsBehind(known, column, 1);
    if (!strongest || strongest.value === 0) return '–';
    const token = tokenColumns(this.run, this.run.groups[strongest.group]!, options.pair)[strongest.position]!;
    return `${columnPlace(token)} ${cleanToken(token)}`;
  }

  /** "L9H6 +0.31", or of a named position the strongest pair; as far as it is known. */
  strongestHead({ options, map, columns, roles }: DrawnMap, { row, column }: Cell): string | undefined {
    if (roles) {
      const [strongest] = pairsBehind(roles.columns[column]!, roles.maps, row);
      return strongest && strongest.value !== 0 ? `${this.run.pairs[strongest.pair]!.name} ${formatScore(strongest.value)}` : '–';
    }
    const site = this.headsOf(map.site);
    if (!site || map.over !== 'positions' || columns[column]!.shared) return '–';
    const detail = this.numbers.knownLayerDetail(options, site, map.group, row);
    if (!detail) return undefined;
    const [strongest] = headsBehind(detail, column, 1);
    return strongest && strongest.value !== 0 ? `${headName(row, strongest.head)} ${formatScore(strongest.value)}` : '–';
  }

  /** Cells of the head map that stand behind a selected position. */
  relatedHeads(selection: Selection | undefined, { options, sites }: ViewState): Cell[] {
    const site = this.headsOf(sites.positions);
    if (selection?.kind !== 'position' || !site) return [];
    const detail = this.numbers.knownLayerDetail(options, site, selection.group, selection.layer);
    if (!detail) return [];
    return strongOnes(headsBehind(detail, selection.position, MOST_RELATED)).map(({ head }) => ({ row: selection.layer, column: head }));
  }

  /** Cells of the positions map that stand behind a selected head. */
  relatedPositions(selection: Selection | undefined, { options, group, sites, columns }: ViewState): Cell[] {
    const site = this.headsOf(sites.positions);
    if (selection?.kind !== 'head' || !site || columns === 'roles') return [];
    const detail = this.numbers.knownLayerDetail(options, site, group, selection.layer);
    if (!detail) return [];
    return strongOnes(positionsBehind([{ group, detail }], selection.head, MOST_RELATED)).map(({ position }) => ({ row: selection.layer, column: position }));
  }

  /** Fetches what hovering will ask for, a few messages at a time; `strongest`: what the table names, strongest first. */
  prefetch({ options, estimate, map: { site } }: DrawnMap, strongest: readonly Cell[]): void {
    const { layers, heads } = this.run.model;
    const groups = this.shownGroups(options.pair);
    const bytes = groups.reduce((sum, group) => sum + this.run.groups[group]!.length * heads * layers * 4, 0);
    const wanted = bytes <= PREFETCH_BYTES ? estimate.ranked : strongest;
    for (const layer of new Set(wanted.map(({ row }) => row))) {
      for (const group of groups) {
        if (this.numbers.asking >= AT_ONCE) return;
        this.numbers.layerDetail(options, site, group, layer);
      }
    }
  }

  /** Length groups that the chosen pairs are in. */
  private shownGroups(pair: ViewOptions['pair']): number[] {
    return this.run.groups.flatMap(({ pairs }, group) => (pair === 'all' || pairs.includes(pair) ? [group] : []));
  }

  /** The site whose heads stand behind a position: its own, or what the attention's output is made of. */
  private headsOf(site: SiteName): SiteName | undefined {
    if (site === 'attn_out') return this.run.sites.includes('z') ? 'z' : undefined;
    return hasHeads(site) ? site : undefined;
  }

  private load(options: ViewOptions, site: SiteName, groups: readonly number[], layer: number): Loaded {
    const asked = groups.map((group) => ({ group, answer: this.numbers.layerDetail(options, site, group, layer) }));
    const details = [];
    for (const { group, answer } of asked) {
      if (answer.state !== 'ready') return answer;
      details.push({ group, detail: answer.value });
    }
    return { state: 'ready', details };
  }
}

function strongOnes<T extends { value: number }>(strongestFirst: readonly T[]): T[] {
  const least = Math.abs(strongestFirst[0]?.value ?? 0) * RELATED_SHARE;
  return strongestFirst.filter(({ value }) => value !== 0 && Math.abs(value) >= least);
}
