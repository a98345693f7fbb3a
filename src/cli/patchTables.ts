import { agreementOf, FEW_POINTS, isTelling, isWrongSign, worstEstimates } from '../shared/agreement';
import type { PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import { SITES, type SiteName } from '../shared/sites';
import { plural } from '../shared/text';
import { tokenColumns } from '../shared/tokenColumns';
import type { ViewOptions } from '../shared/views';
import { columnText } from './attributionTables';
import { measuredCells, type CellTable, type MeasuredCell } from './cellTables';
import { alignedTable, facts, signed, unitTitle } from './text';

const WORST = 3;
const OVER = {
  all: 'layer × head, all positions',
  last: "layer × head, at the metric's position",
  positions: 'layer × position',
  'by-position': 'layer × position × head',
  neurons: 'layer × neuron, all positions',
  cells: 'destination × source',
};

/** What `patch` prints for people: the strongest measured cells beside their estimates, and how well those agree. */
export function patchTables(run: Run, tables: readonly CellTable[], exact: (cell: PatchCell) => number, view: ViewOptions, top: number): string {
  const sites = [...new Set(tables.map(({ site }) => site))];
  const parts = sites.map((site) => sitePart(run, tables.filter((table) => table.site === site), exact, view, top));
  const summary = sites.length > 1 ? [summaryPart(sites.map((site) => [site, pointsOf(tables.filter((table) => table.site === site), exact)]))] : [];
  return `${[facts(run), ...parts, ...summary].join('\n\n')}\n`;
}

function pointsOf(tables: readonly CellTable[], exact: (cell: PatchCell) => number): MeasuredCell[] {
  return measuredCells(tables, exact).filter(({ estimate }) => !Number.isNaN(estimate));
}

function sitePart(run: Run, tables: readonly CellTable[], exact: (cell: PatchCell) => number, view: ViewOptions, top: number): string {
  const { site, over, head } = tables[0]!;
  const measured = measuredCells(tables, exact);
  const all = tables.reduce((sum, { cells }) => sum + cells.filter((cell) => cell).length, 0);
  const of = head ? ` of head ${head.layer}.${head.head}` : '';
  const title = `${SITES[site].title}${of}, ${site === 'embed' ? 'position' : OVER[over]}: ${measured.length} of ${plural(all, 'cell')} measured (${unitTitle(run.manifest, view.unit)})`;
  const rows = measured.slice(0, top).map(({ cell, estimate, exact: value }, i) => [String(i + 1), ...placeOf(run, cell), Number.isNaN(estimate) ? '' : signed(estimate), signed(value)]);
  const hasTokens = rows.some(([, , token]) => token !== '');
  const shown = hasTokens ? rows : rows.map(([rank, cell, , ...values]) => [rank!, cell!, ...values]);
  const table = alignedTable(['#', 'cell', ...(hasTokens ? ['token'] : []), 'estimate', 'exact'], shown, ['cell', 'token']);
  const points = measured.filter(({ estimate }) => !Number.isNaN(estimate));
  // What is the same in the digits shown is no miss.
  const { over: large, under } = worstEstimates(points.filter(({ estimate, exact: value }) => signed(estimate) !== signed(value)), WORST);
  const worst = (what: string, cells: readonly MeasuredCell[]): string[] =>
    cells.length === 0 ? [] : [`  ${what}: ${cells.map((one) => `${placeOf(run, one.cell).join(' ').trim()} ${signed(one.estimate)} for ${signed(one.exact)}${isWrongSign(one) ? ' (wrong sign)' : ''}`).join('; ')}`];
  return [title, table, ...(points.length === 0 ? [] : [`  ${agreementText(points)}`]), ...worst('Over-estimated', large), ...worst('Under-estimated', under)].join('\n');
}

/** The cell in a word, and its token where it has a position. */
function placeOf({ manifest }: Run, { layer, head, neuron, group, position, source }: PatchCell): [cell: string, token: string] {
  const unit = `${layer ?? ''}${head === undefined ? '' : `.${head}`}${neuron === undefined ? '' : `#${neuron}`}`;
  if (group === undefined || typeof position !== 'number') return [unit, ''];
  const { positions, length } = manifest.groups[group]!;
  const tokens = tokenColumns({ ...manifest.experiment, pairs: manifest.pairs }, manifest.groups[group]!, 'all');
  const ofLength = manifest.groups.length > 1 ? ` (${length} tokens)` : '';
  const from = source === undefined ? '' : `<${source}`;
  const token = columnText(tokens[positions === 'last' ? 0 : position]!);
  return [`${unit}@${positions === 'last' ? 'last' : position}${from}${ofLength}`, source === undefined ? token : `${token} from ${columnText(tokens[source]!)}`];
}

export function agreementText(points: readonly { estimate: number; exact: number }[], what = 'cell'): string {
  const { count, pearson, spearman, slope } = agreementOf(points);
  const zeros = points.filter((point) => !isTelling(point)).length;
  const figure = (value: number | undefined): string => (value === undefined ? 'undefined' : value.toFixed(3));
  return `Estimate against exact over ${plural(count, what)}${zeros === 0 ? '' : `, ${zeros} of them 0 on both sides by construction`}: r ${figure(pearson)}, Spearman ρ ${figure(spearman)}, slope ${figure(slope)}${count < FEW_POINTS ? ` (so few ${what}s say little)` : ''}`;
}

function summaryPart(sites: readonly [SiteName, MeasuredCell[]][]): string {
  const figure = (value: number | undefined): string => value?.toFixed(3) ?? '';
  const rows = sites.map(([site, points]) => {
    const { count: measured, pearson, spearman, slope } = agreementOf(points);
    return [site, String(measured), figure(pearson), figure(spearman), figure(slope)];
  });
  return `Agreement of estimate and exact\n${alignedTable(['site', 'cells', 'r', 'Spearman ρ', 'slope'], rows, ['site'])}`;
}
