import { edgeMethodWords } from '../shared/graph/methodWords';
import { edgeCount, edgeName, nodeName, senderAt, type Edge } from '../shared/graph/nodes';
import { shapeOf } from '../shared/graph/stored';
import type { PathMode } from '../shared/paths';
import type { Run } from '../shared/run';
import { plural } from '../shared/text';
import { tokenColumns } from '../shared/tokenColumns';
import type { ViewOptions } from '../shared/views';
import { columnText } from './attributionTables';
import { agreementText } from './patchTables';
import type { Listing, PositionScores } from './paths';
import { rankedSenders } from './pathsJson';
import { alignedTable, facts, signed, unitTitle } from './text';

const MODE_WORDS: Readonly<Record<PathMode, string>> = {
  direct: 'the direct edge patched, LayerNorm recomputed',
  directFrozen: "the direct edge patched, the receiver's LayerNorm frozen",
  throughMlps: 'the edge and its ways through MLPs patched, other heads frozen',
};

/** What `paths` prints for people: the strongest edges, exact effects beside them, and the strongest nodes where no edges are picked out. */
export function pathsTables(run: Run, { view, edges, of, senders, exact }: Listing, { top, into, from, edges: named }: { top: number; into?: string; from?: string; edges: readonly string[] }): string {
  const shape = shapeOf(run);
  const unit = unitTitle(run.manifest, view.unit);
  const isPicked = into !== undefined || from !== undefined || named.length > 0;
  const filter = [from === undefined ? '' : ` out of ${from}`, into === undefined ? '' : ` into ${into}`].join('');
  const count = named.length > 0 ? '' : `, ${edges.length} of ${of} that are not 0`;
  const title = `${named.length > 0 ? 'Edges' : 'Top edges'}${filter}${count} (${unit})`;
  const rows = edges.map(({ edge, score, exact: effect }, i) => [String(i + 1), edgeName(shape, edge), signed(score), ...(exact ? [effect === undefined ? '' : signed(effect)] : [])]);
  const points = edges.flatMap(({ score, exact: effect }) => (effect === undefined ? [] : [{ estimate: score, exact: effect }]));
  const agreement = exact && points.length > 0 ? [`  ${agreementText(points, 'edge')}`, `  exact: ${MODE_WORDS[exact]}`] : [];
  const nodes = rankedSenders(senders).slice(0, top).map((sender, i) => [String(i + 1), nodeName(senderAt(shape, sender)), signed(senders[sender]!)]);
  return `${[
    `${facts(run)}\n  ${edgesWords(run)}`,
    [title, alignedTable(['#', 'edge', 'score', ...(exact ? ['exact'] : [])], rows, ['edge']), ...agreement].join('\n'),
    ...(isPicked ? [] : [`Top nodes, all that leads out of them (${unit})\n${alignedTable(['#', 'node', 'score'], nodes, ['node'])}`]),
  ].join('\n\n')}\n`;
}

/** "Edges: EAP-IG (5 steps, left), LayerNorm in full, 761 of them, 0.21 s". */
export function edgesWords(run: Run): string {
  const { method, seconds } = run.manifest.paths!;
  return `Edges: ${edgeMethodWords(method)}, ${edgeCount(shapeOf(run))} of them, ${seconds.toFixed(2)} s`;
}

/** One edge by position: a table for each token length. */
export function positionTables(run: Run, edge: Edge, positions: readonly PositionScores[], view: ViewOptions, top: number): string {
  const { manifest } = run;
  const parts = positions.map(({ group, scores }) => {
    const own = manifest.groups[group]!;
    const tokens = tokenColumns({ ...manifest.experiment, pairs: manifest.pairs }, own, 'all');
    const rows = Array.from(scores.keys())
      .filter((position) => scores[position] !== 0)
      .sort((a, b) => Math.abs(scores[b]!) - Math.abs(scores[a]!) || a - b)
      .slice(0, top)
      .map((position, i) => [String(i + 1), String(position), columnText(tokens[position]!), signed(scores[position]!)]);
    const total = signed(scores.reduce((sum, score) => sum + score, 0));
    return `${edgeName(shapeOf(run), edge)}, top positions, ${plural(own.pairs.length, 'pair')} of ${own.length} tokens: ${total} in all (${unitTitle(manifest, view.unit)})\n${alignedTable(['#', 'position', 'token', 'score'], rows)}`;
  });
  return `${[`${facts(run)}\n  ${edgesWords(run)}`, ...parts].join('\n\n')}\n`;
}
