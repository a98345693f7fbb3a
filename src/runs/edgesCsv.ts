import type { EdgeMask } from '../shared/graph/mask';
import { edgeMethodWords } from '../shared/graph/methodWords';
import { edgeAt, edgeName, nodeName, nodeOfReceiver, receiverAt, senderAt } from '../shared/graph/nodes';
import { rankedIndices } from '../shared/graph/select';
import { edgeScores, exactEdges, hasEdges, shapeOf } from '../shared/graph/stored';
import { PATH_MODES } from '../shared/paths';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import { csvText, numberText, settingsOf } from './csv';

/**
 * A run's edges as CSV with a header, by falling |score|: the edge, its ends and port, the score, and the exact effect of each mode
 * where it was measured. Only those of a circuit where one is given. Values in the view's units; then, the same in every line,
 * which experiment they are of, the variant being how edges were attributed. Throws RangeError as `edgeScores`.
 */
export function edgesCsv(run: Run, options: ViewOptions, circuit?: EdgeMask): string {
  const { manifest } = run;
  if (!hasEdges(run)) throw new RangeError('the run’s edges have not been attributed');
  const shape = shapeOf(run);
  const scores = edgeScores(run, options);
  const exact = PATH_MODES.map((mode) => exactEdges(run, mode, options));
  const [names, settings] = settingsOf(manifest, edgeMethodWords(manifest.paths!.method), options);
  const lines = [['edge', 'from', 'to', 'port', 'score', ...PATH_MODES, ...names]];
  for (const index of rankedIndices(shape, scores)) {
    if (circuit && circuit[index] !== 1) continue;
    const edge = edgeAt(shape, index);
    const receiver = receiverAt(shape, edge.receiver);
    const ends = [nodeName(senderAt(shape, edge.sender)), nodeName(nodeOfReceiver(receiver)), receiver.kind === 'head' ? receiver.port : ''];
    lines.push([edgeName(shape, edge), ...ends, numberText(scores[index]!), ...exact.map((effects) => numberText(effects.get(index) ?? NaN)), ...settings]);
  }
  return csvText(lines);
}
