import { rankCells } from '../shared/ranking';
import type { Run, RunManifest, RunPair } from '../shared/run';
import { SITES, type SiteName } from '../shared/sites';
import { headScores, positionScores } from '../shared/views';
import { viewOf } from './attributionJson';

const DIGITS = 4;
/** Behind a token: clean and corrupted differ at its position. */
const DIFFERS = '≠';

/** What `attribute` prints for people: the run's facts, its top heads, and the top cells of one site's layer × position maps. Throws as `attributionJson`. */
export function attributionTables(run: Run, options: { raw: boolean; top: number; site: SiteName }): string {
  const { manifest, arrays } = run;
  const view = viewOf(manifest, options.raw);
  const unit = options.raw ? 'logits' : 'share of the clean-corrupted difference';
  const all = headScores(manifest, arrays, 'all', view);
  const last = headScores(manifest, arrays, 'last', view);
  const heads = rankCells(all)
    .slice(0, options.top)
    .map(({ rank, row, column, value }) => [String(rank), `${row}.${column}`, signed(value), signed(last.values[row * last.columns + column]!)]);
  const parts = [
    facts(manifest),
    `Top heads (${unit})\n${alignedTable(['#', 'head', 'all positions', 'last position'], heads)}`,
  ];
  manifest.groups.forEach((group, index) => {
    const matrix = positionScores(manifest, arrays, index, options.site, view);
    if (!matrix) return;
    const pairs = group.pairs.map((pair) => manifest.pairs[pair]!);
    const cells = rankCells(matrix)
      .slice(0, options.top)
      .map(({ rank, row, column, value }) => {
        const position = group.positions === 'last' ? group.length - 1 : column;
        return [String(rank), String(row), String(position), tokenAt(pairs, group.positions === 'last' ? -1 : column), signed(value)];
      });
    const title = `${SITES[options.site].title}, top layers and positions, ${count(pairs.length, 'pair')} of ${group.length} ${group.positions === 'last' ? 'clean tokens, last position only' : 'tokens'} (${unit})`;
    const legend = cells.some(([, , , token]) => token!.endsWith(DIFFERS)) ? `\n  ${DIFFERS} clean and corrupted have different tokens there` : '';
    parts.push(`${title}\n${alignedTable(['#', 'layer', 'position', 'token', 'score'], cells)}${legend}`);
  });
  return `${parts.join('\n\n')}\n`;
}

function facts(manifest: RunManifest): string {
  const { model, backend, pairs, experiment, timings } = manifest;
  const mean = (side: 'clean' | 'corrupted'): string => signed(pairs.reduce((sum, { logitDiff }) => sum + logitDiff[side], 0) / pairs.length);
  const lines = [
    manifest.title,
    `  ${model.id}: ${model.layers} layers of ${model.heads} heads, d_model ${model.dModel}`,
    `  ${count(pairs.length, 'pair')}, ${experiment.direction}, ${manifest.prependBos ? 'with BOS' : 'no BOS'}, logit difference clean ${mean('clean')}, corrupted ${mean('corrupted')}`,
    `  ${backend.name}, ${count(backend.threads, 'thread')}, load ${timings.load.toFixed(2)} s, run ${timings.run.toFixed(2)} s`,
    ...manifest.notes.map(({ message }) => `  Note: ${message}`),
  ];
  return lines.join('\n');
}

/** The clean token at a position (-1: each prompt's last), with "…" when the pairs do not agree, and DIFFERS where clean and corrupted do. */
function tokenAt(pairs: readonly RunPair[], position: number): string {
  const texts = new Set(pairs.map(({ clean }) => clean.at(position)?.text ?? ''));
  const differs = pairs.some(({ clean, corrupted }) => clean.at(position)?.id !== corrupted.at(position)?.id);
  const [first = ''] = texts;
  return `${JSON.stringify(first)}${texts.size > 1 ? ' …' : ''}${differs ? ` ${DIFFERS}` : ''}`;
}

function signed(value: number): string {
  const rounded = Number(value.toFixed(DIGITS));
  return `${rounded < 0 ? '-' : '+'}${Math.abs(rounded).toFixed(DIGITS)}`;
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

/** Columns padded to their widest cell: texts to the left, everything else to the right. */
function alignedTable(titles: string[], rows: string[][]): string {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: string[]): string =>
    row.map((cell, column) => (titles[column] === 'token' ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ').trimEnd();
  return [titles, ...rows].map((row) => `  ${line(row)}`).join('\n');
}
