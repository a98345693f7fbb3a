import { rankCells } from '../shared/ranking';
import type { PairGroup } from '../shared/results';
import type { Run } from '../shared/run';
import { hasHeads, SITES, type SiteName } from '../shared/sites';
import { plural } from '../shared/text';
import { tokenColumns, type TokenColumn } from '../shared/tokenColumns';
import { headScores, neuronScores, positionScores, type ViewOptions } from '../shared/views';
import { viewOf } from './json';
import { alignedTable, facts, signed, tokenText, unitTitle } from './text';

/** Behind a token: clean and corrupted differ at its position. */
const DIFFERS = '≠';

/** What `attribute` prints for people: the run's facts, and of each site its top heads and the top cells of its layer × position maps. Throws as `attributionJson`. */
export function attributionTables(run: Run, options: { raw: boolean; top: number; sites: readonly SiteName[] }): string {
  const { manifest } = run;
  const view = viewOf(manifest, options.raw);
  const unit = unitTitle(manifest, view.unit);
  const withHeads = options.sites.filter(hasHeads);
  const headParts = (withHeads.length > 0 ? withHeads : (['z'] as const)).map((site) => headPart(run, site, view, options.top, unit));
  const positionParts = options.sites.flatMap((site) => manifest.groups.flatMap((group, index) => positionPart(run, site, group, index, view, options.top, unit) ?? []));
  const neuronParts = options.sites.includes('mlp_post') ? [neuronPart(run, view, options.top, unit)] : [];
  return `${[facts(run), ...headParts, ...neuronParts, ...positionParts].join('\n\n')}\n`;
}

function headPart({ manifest, arrays }: Run, site: SiteName, view: ViewOptions, top: number, unit: string): string {
  // A prompt's log-probability is read at a range of positions, and none of them is the metric's.
  const last = manifest.experiment.metric === 'promptLogProb' ? undefined : headScores(manifest, arrays, site, 'last', view);
  const rows = rankCells(headScores(manifest, arrays, site, 'all', view))
    .slice(0, top)
    .map(({ rank, row, column, value }) => [String(rank), `${row}.${column}`, signed(value), ...(last ? [signed(last.values[row * last.columns + column]!)] : [])]);
  const lastTitle = manifest.pairs.some(({ at }) => at !== undefined) ? "metric's position" : 'last position';
  return `${site === 'z' ? 'Top heads' : `${SITES[site].title}, top heads`} (${unit})\n${alignedTable(['#', 'head', 'all positions', ...(last ? [lastTitle] : [])], rows)}`;
}

function neuronPart({ manifest, arrays }: Run, view: ViewOptions, top: number, unit: string): string {
  const rows = rankCells(neuronScores(manifest, arrays, view))
    .slice(0, top)
    .map(({ rank, row, column, value }) => [String(rank), `${row}#${column}`, signed(value)]);
  return `${SITES.mlp_post.title}, top neurons (${unit})\n${alignedTable(['#', 'neuron', 'all positions'], rows)}`;
}

function positionPart({ manifest, arrays }: Run, site: SiteName, group: PairGroup, index: number, view: ViewOptions, top: number, unit: string): string | undefined {
  const matrix = positionScores(manifest, arrays, index, site, view);
  if (!matrix) return undefined;
  const tokens = tokenColumns({ ...manifest.experiment, pairs: manifest.pairs }, group, view.pair);
  const hasLayers = SITES[site].axes.includes('layer');
  const cells = rankCells(matrix)
    .slice(0, top)
    .map(({ rank, row, column, value }) => {
      const position = group.positions === 'last' ? group.length - 1 : column;
      return [String(rank), ...(hasLayers ? [String(row)] : []), String(position), columnText(tokens[column]!), signed(value)];
    });
  const title = `${SITES[site].title}, top ${hasLayers ? 'layers and ' : ''}positions, ${plural(group.pairs.length, 'pair')} of ${group.length} ${group.positions === 'last' ? 'clean tokens, last position only' : 'tokens'} (${unit})`;
  const legend = cells.some((row) => row.at(-2)!.endsWith(DIFFERS)) ? `\n  ${DIFFERS} clean and corrupted have different tokens there` : '';
  return `${title}\n${alignedTable(['#', ...(hasLayers ? ['layer'] : []), 'position', 'token', 'score'], cells)}${legend}`;
}

/** The clean token of a column, the most frequent one with "…" when the pairs do not agree, and DIFFERS where clean and corrupted do. */
export function columnText({ clean, differs }: TokenColumn): string {
  return `${tokenText(clean[0]?.text)}${clean.length > 1 ? ' …' : ''}${differs ? ` ${DIFFERS}` : ''}`;
}
