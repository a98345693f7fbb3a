import { toDot } from '../shared/graph/dot';
import type { EdgeMask } from '../shared/graph/mask';
import { toMermaid } from '../shared/graph/mermaid';
import { toMib } from '../shared/graph/mib';
import { edgeScores, senderScores, shapeOf } from '../shared/graph/stored';
import type { GraphFormat } from '../shared/pathsProtocol';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import { edgesCsv } from './edgesCsv';

/**
 * A circuit of a run for other programs. EAP-IG's and MIB's JSON holds the whole graph and says which edges are in the circuit; it
 * has no place for a unit, so that its scores are raw whatever the view's are. The others hold the circuit's edges with scores in
 * the view's units. Throws RangeError as `edgeScores`.
 */
export function graphText(run: Run, format: GraphFormat, mask: EdgeMask, options: ViewOptions): string {
  const shape = shapeOf(run);
  const { title, model, graph } = run.manifest;
  const drawing = { title, names: graph?.names };
  switch (format) {
    case 'mib': {
      const raw: ViewOptions = { ...options, unit: 'raw' };
      return toMib(shape, model, edgeScores(run, raw), mask, senderScores(run, raw));
    }
    case 'dot':
      return toDot(shape, mask, edgeScores(run, options), drawing);
    case 'mermaid':
      return toMermaid(shape, mask, edgeScores(run, options), drawing);
    case 'csv':
      return edgesCsv(run, options, mask);
  }
}
