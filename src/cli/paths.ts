import path from 'node:path';
import { writeRunFile } from '../runs/file';
import { arrayNamed } from '../shared/arrays';
import { CircuitError } from '../shared/errors';
import { maskOf } from '../shared/graph/mask';
import { matrixIndex, senderCount, type Edge } from '../shared/graph/nodes';
import { strongestEdges } from '../shared/graph/select';
import { edgeScores, exactEdges, measuredPaths, senderScores, shapeOf, withMeasuredPaths } from '../shared/graph/stored';
import { edgePositionsName, type EdgeResult, type MeasuredPaths, type PathMode } from '../shared/paths';
import type { Run } from '../shared/run';
import { scaleOf, type ViewOptions } from '../shared/views';
import { working } from './attribute';
import type { PathsCommand } from './graphArguments';
import { edgeWritten, leadsFrom, leadsInto } from './graphNames';
import { viewOf } from './json';
import { exportCircuit, openGraphRun, withEdges } from './openEdges';
import type { OpenRun } from './openRun';
import { pathsJson } from './pathsJson';
import { pathsTables, positionTables } from './pathsTables';
import type { Surroundings } from './prepare';

/** An edge that is listed, in the view's units. */
export interface ListedEdge {
  edge: Edge;
  score: number;
  /** Absent where it is not measured, or not asked for. */
  exact?: number;
}

/** What `paths` shows of a run. */
export interface Listing {
  view: ViewOptions;
  edges: ListedEdge[];
  /** How many edges the choice has. */
  of: number;
  /** Nodes' own attribution, [sender]. */
  senders: Float32Array;
  exact?: PathMode;
}

/** An edge by position, of one length group. */
export interface PositionScores {
  group: number;
  scores: number[];
}

/**
 * The strongest edges of a run, exact effects beside them where asked for; or one edge by position.
 * With --out what was measured is kept also when it is cancelled. Throws what `attribute` throws, and `run-file`, `storage`.
 */
export async function paths(command: PathsCommand, surroundings: Surroundings): Promise<void> {
  const { print } = surroundings;
  const opened = await openGraphRun(command, surroundings);
  // What cannot be named or shown need not be computed.
  const chooses = choiceOf(opened.run, command);
  if (command.out === undefined) viewOf(opened.run.manifest, command.raw);
  const run = await withEdges(opened, command, surroundings);
  if (command.byPosition) {
    await keep(run, command, surroundings);
    const view = viewOf(run.manifest, command.raw);
    const [edge] = chooses(run);
    const positions = await byPosition({ ...opened, run }, edge!, view, command.file, surroundings);
    return print(command.json ? `${JSON.stringify(pathsJson(run, listingOf(run, [edge!], 1, view), command.top, { positions }))}\n` : positionTables(run, edge!, positions, view, command.top));
  }
  const all = chooses(run);
  const listed = command.edges.length > 0 ? all : all.slice(0, command.top);
  const measured = command.exact ? await measure({ ...opened, run }, listed, command.exact, command.file, surroundings) : { run };
  await keep(measured.run, command, surroundings);
  if (measured.error) {
    const known = new Set(measuredPaths(measured.run, command.exact!).edges.map((edge) => matrixIndex(shapeOf(run), edge)));
    const done = listed.filter((edge) => known.has(matrixIndex(shapeOf(run), edge))).length;
    if (command.out !== undefined) surroundings.warn(`${command.out} keeps what is measured, ${done} of ${listed.length} edges; give that file to paths to go on from there.\n`);
    throw measured.error;
  }
  const view = viewOf(run.manifest, command.raw);
  if (command.exportTo !== undefined) await exportCircuit(command.exportTo, measured.run, maskOf(shapeOf(run), listed), view, surroundings);
  const listing = listingOf(measured.run, listed, all.length, view, command.exact);
  print(command.json ? `${JSON.stringify(pathsJson(measured.run, listing, command.top))}\n` : pathsTables(measured.run, listing, command));
}

async function keep(run: Run, { out }: PathsCommand, { folder }: Surroundings): Promise<void> {
  if (out !== undefined) await writeRunFile(path.resolve(folder, out), run);
}

/** Which edges of a run the flags name, strongest first where they are not named one by one. Throws `usage` for what the model does not have. */
function choiceOf(run: Run, { edges, into, from }: PathsCommand): (run: Run) => Edge[] {
  const shape = shapeOf(run);
  const { id } = run.manifest.model;
  const named = edges.map((name) => edgeWritten(shape, id, name));
  if (named.length > 0) return () => [...new Map(named.map((edge) => [matrixIndex(shape, edge), edge])).values()];
  const filters = [...(into === undefined ? [] : [leadsInto(shape, id, into)]), ...(from === undefined ? [] : [leadsFrom(shape, id, from)])];
  return (edged) => strongestEdges(shape, edgeScores(edged, { pair: 'all', unit: 'raw' })).filter((edge) => filters.every((matches) => matches(edge)));
}

function listingOf(run: Run, listed: readonly Edge[], of: number, view: ViewOptions, exact?: PathMode): Listing {
  const shape = shapeOf(run);
  const scores = edgeScores(run, view);
  const effects = exact ? exactEdges(run, exact, view) : undefined;
  const edges = listed.map((edge): ListedEdge => {
    const index = matrixIndex(shape, edge);
    const effect = effects?.get(index);
    return { edge, score: scores[index]!, ...(effect !== undefined && { exact: effect }) };
  });
  return { view, edges, of, senders: senderScores(run, view), ...(exact && { exact }) };
}

/** Means over the pairs, each group's share of them, as everywhere. */
async function byPosition({ run, settings }: OpenRun, edge: Edge, view: ViewOptions, label: string, surroundings: Surroundings): Promise<PositionScores[]> {
  const result = await working(label, label, surroundings, (call) => surroundings.runner.pathPositions({ run, settings, receivers: [edge.receiver] }, call));
  const scale = scaleOf(run.manifest, view);
  return result.groups.map((_, group) => ({ group, scores: Array.from(summed(result, group, edge.sender, senderCount(shapeOf(run))), (sum) => sum * scale) }));
}

/** One sender's scores by position, added up over the group's pairs. */
function summed({ arrays, groups }: EdgeResult, group: number, sender: number, senders: number): Float64Array {
  const { data, shape } = arrayNamed(arrays, edgePositionsName(group));
  const positions = shape[3]!;
  const sums = new Float64Array(positions);
  for (let row = 0; row < groups[group]!.pairs.length; row++) {
    for (let position = 0; position < positions; position++) sums[position]! += data[(row * senders + sender) * positions + position]!;
  }
  return sums;
}

/** The run with the effects of these edges; when it was cancelled, with those that came before. */
async function measure({ run, settings }: OpenRun, edges: readonly Edge[], mode: PathMode, label: string, surroundings: Surroundings): Promise<{ run: Run; error?: unknown }> {
  const parts: MeasuredPaths[] = [];
  try {
    const patched = await working(label, label, surroundings, ({ signal, onProgress }) =>
      surroundings.runner.patchPaths({ run, settings, mode, edges }, {
        signal,
        onProgress: (step) => {
          if (step.paths) parts.push(step.paths);
          onProgress(step);
        },
      }),
    );
    return { run: patched };
  } catch (error) {
    if (!CircuitError.is(error, 'cancelled')) throw error;
    return { run: parts.reduce(withMeasuredPaths, run), error };
  }
}
