import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { graphText } from '../runs/graphText';
import { CircuitError } from '../shared/errors';
import type { EdgeMask } from '../shared/graph/mask';
import { hasEdges } from '../shared/graph/stored';
import { DEFAULT_EDGE_METHOD, type EdgeMethod } from '../shared/paths';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import type { RunCommand } from './arguments';
import { working } from './attribute';
import { formatOf, type EdgeFlags } from './graphArguments';
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
  return working(file, file, surroundings, (call) => surroundings.runner.paths({ run, settings, method: method ?? DEFAULT_EDGE_METHOD }, call));
}

function isSame(a: EdgeMethod, b: EdgeMethod): boolean {
  const words = ({ integrated, bothGradients = false, layerNorm = 'full' }: EdgeMethod): string => [integrated?.steps, integrated?.rule, bothGradients, layerNorm].join();
  return words(a) === words(b);
}

/** Writes a circuit of a run with edges for other programs, by the file's ending: see `graphText`. Throws `storage`. */
export async function exportCircuit(file: string, run: Run, mask: EdgeMask, view: ViewOptions, { folder }: Surroundings): Promise<void> {
  const text = graphText(run, formatOf(file), mask, view);
  try {
    await writeFile(path.resolve(folder, file), text);
  } catch (cause) {
    throw new CircuitError('storage', `${file} could not be written (${cause instanceof Error ? cause.message : String(cause)}).`, { cause });
  }
}
