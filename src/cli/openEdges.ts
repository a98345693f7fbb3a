import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { edgesCsv } from '../runs/edgesCsv';
import { CircuitError } from '../shared/errors';
import { toDot } from '../shared/graph/dot';
import type { EdgeMask } from '../shared/graph/mask';
import { toMermaid } from '../shared/graph/mermaid';
import { toMib } from '../shared/graph/mib';
import { edgeScores, hasEdges, senderScores, shapeOf } from '../shared/graph/stored';
import type { EdgeMethod } from '../shared/paths';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import type { RunCommand } from './arguments';
import { working } from './attribute';
import { DEFAULT_METHOD, formatOf, type EdgeFlags } from './graphArguments';
import { openRun, type OpenRun } from './openRun';
import type { Surroundings } from './prepare';

/** The run of a verb about edges, without its edges. What is kept has all that the panel shows. */
export function openGraphRun(command: RunCommand & EdgeFlags, surroundings: Surroundings): Promise<OpenRun> {
  return openRun(command, surroundings, () => (command.out === undefined ? [] : undefined));
}

/** The run with its edges: those that it has, unless another method is asked for. */
export async function withEdges(opened: OpenRun, { method, file }: EdgeFlags, surroundings: Surroundings): Promise<Run> {
  const { run, settings } = opened;
  if (hasEdges(run) && (!method || isSame(run.manifest.paths!.method, method))) return run;
  return working(file, file, surroundings, (call) => surroundings.runner.paths({ run, settings, method: method ?? DEFAULT_METHOD }, call));
}

function isSame(a: EdgeMethod, b: EdgeMethod): boolean {
  const words = ({ integrated, bothGradients = false, layerNorm = 'full' }: EdgeMethod): string => [integrated?.steps, integrated?.rule, bothGradients, layerNorm].join();
  return words(a) === words(b);
}

/**
 * Writes a circuit of a run for other programs, by the file's ending. EAP-IG's and MIB's JSON holds the whole graph with raw scores
 * and says which edges are in the circuit; the others hold the circuit's edges with scores in the view's units.
 * Throws `storage`.
 */
export async function exportCircuit(file: string, run: Run, mask: EdgeMask, view: ViewOptions, { folder }: Surroundings): Promise<void> {
  const text = textOf(file, run, mask, view);
  try {
    await writeFile(path.resolve(folder, file), text);
  } catch (cause) {
    throw new CircuitError('storage', `${file} could not be written (${cause instanceof Error ? cause.message : String(cause)}).`, { cause });
  }
}

function textOf(file: string, run: Run, mask: EdgeMask, view: ViewOptions): string {
  const shape = shapeOf(run);
  const { title, model, graph } = run.manifest;
  const scoresIn = (options: ViewOptions): Float32Array => (hasEdges(run) ? edgeScores(run, options) : new Float32Array(mask.length));
  const drawing = { title, ...(graph && { names: graph.names }) };
  switch (formatOf(file)) {
    case 'json': {
      const raw: ViewOptions = { pair: 'all', unit: 'raw' };
      return toMib(shape, model, scoresIn(raw), mask, hasEdges(run) ? senderScores(run, raw) : undefined);
    }
    case 'dot':
      return toDot(shape, mask, scoresIn(view), drawing);
    case 'mmd':
      return toMermaid(shape, mask, scoresIn(view), drawing);
    case 'csv':
      return edgesCsv(run, view, mask);
  }
}
