import { arrayNamed, packArrays, sizeOf, type NamedArrays } from '../arrays';
import { EDGE_SCORES, PATH_MODES, SENDER_SCORES, type EdgeMethod, type EdgeResult, type MeasuredPaths, type PathMode } from '../paths';
import type { ModelInfo } from '../results';
import type { Run, RunManifest } from '../run';
import { scaleOf, type ViewOptions } from '../views';
import { isEdge, matrixIndex, receiverCount, senderCount, type GraphShape } from './nodes';

/** How a run keeps what is known of its edges, and that in a view's units. */

/** Names of a run's arrays, see `Run`. */
export const PATH_CELLS = 'paths.cells';
export const PATH_EFFECTS = 'paths.effects';
/** What each number of a measured edge says, in their order. */
export const PATH_FIELDS = ['mode', 'sender', 'receiver'] as const;

export function shapeOf(run: { model: Pick<ModelInfo, 'layers' | 'heads'> } | { manifest: Pick<RunManifest, 'model'> }): GraphShape {
  const { layers, heads } = 'manifest' in run ? run.manifest.model : run.model;
  return { layers, heads };
}

/** Whether the run's edges were attributed. */
export function hasEdges({ manifest, arrays }: Run): boolean {
  return manifest.paths !== undefined && EDGE_SCORES in arrays.entries;
}

/** The run with its edges as attributed by this method, in place of those of another. What was measured exactly stays. */
export function withEdgeScores(run: Run, result: Pick<EdgeResult, 'arrays' | 'seconds'>, method: EdgeMethod): Run {
  const added = [EDGE_SCORES, SENDER_SCORES].map((name) => ({ name, ...arrayNamed(result.arrays, name) }));
  return { manifest: { ...run.manifest, paths: { method, seconds: result.seconds } }, arrays: withArrays(run.arrays, added) };
}

/** [sender, receiver] in the view's units, 0 where there is no edge. Throws RangeError as `scaleOf`, and where the run has no edges. */
export function edgeScores(run: Run, options: ViewOptions): Float32Array {
  return scoresIn(run, EDGE_SCORES, options);
}

/** [sender], the nodes' own attribution. Otherwise as `edgeScores`. */
export function senderScores(run: Run, options: ViewOptions): Float32Array {
  return scoresIn(run, SENDER_SCORES, options);
}

function scoresIn({ manifest, arrays }: Run, name: string, options: ViewOptions): Float32Array {
  const { data, shape } = arrayNamed(arrays, name);
  const scale = scaleOf(manifest, options);
  const extent = sizeOf(shape.slice(1));
  if (options.pair !== 'all') return data.slice(options.pair * extent, (options.pair + 1) * extent).map((score) => score * scale);
  const sums = new Float64Array(extent);
  for (let start = 0; start < data.length; start += extent) {
    for (let i = 0; i < extent; i++) sums[i]! += data[start + i]!;
  }
  return Float32Array.from(sums, (sum) => sum * scale);
}

/** What a run has measured in a mode; no edges where it has not. */
export function measuredPaths(run: Run, mode: PathMode): MeasuredPaths {
  const pairs = run.manifest.pairs.length;
  const rows = rowsOf(run).filter((row) => row.mode === mode);
  const effects = new Float32Array(rows.length * pairs);
  rows.forEach((row, i) => effects.set(row.effects, i * pairs));
  return { mode, edges: rows.map(({ sender, receiver }) => ({ sender, receiver })), effects };
}

/** The run with these effects added; an edge that was measured in this mode before is replaced. */
export function withMeasuredPaths(run: Run, measured: MeasuredPaths): Run {
  const pairs = run.manifest.pairs.length;
  const { mode, edges } = measured;
  const added = edges.map((edge, i) => ({ mode, ...edge, effects: measured.effects.subarray(i * pairs, (i + 1) * pairs) }));
  const rows = [...new Map([...rowsOf(run), ...added].map((row) => [`${row.mode},${row.sender},${row.receiver}`, row])).values()];
  const cells = new Float32Array(rows.length * PATH_FIELDS.length);
  const effects = new Float32Array(rows.length * pairs);
  rows.forEach((row, i) => {
    cells.set([PATH_MODES.indexOf(row.mode), row.sender, row.receiver], i * PATH_FIELDS.length);
    effects.set(row.effects, i * pairs);
  });
  const arrays = withArrays(run.arrays, [
    { name: PATH_CELLS, axes: ['edge', 'field'], shape: [rows.length, PATH_FIELDS.length], data: cells },
    { name: PATH_EFFECTS, axes: ['edge', 'pair'], shape: [rows.length, pairs], data: effects },
  ]);
  return { ...run, arrays };
}

/** The exact effects of a mode in the view's units, by the edge's matrix index. Throws RangeError as `scaleOf`. */
export function exactEdges(run: Run, mode: PathMode, options: ViewOptions): Map<number, number> {
  const scale = scaleOf(run.manifest, options);
  const shape = shapeOf(run);
  return new Map(
    rowsOf(run)
      .filter((row) => row.mode === mode)
      .map((row) => {
        const effect = options.pair === 'all' ? row.effects.reduce((sum, own) => sum + own, 0) : row.effects[options.pair]!;
        return [matrixIndex(shape, row), effect * scale];
      }),
  );
}

/** What is wrong with a run's measured edges, whose shape is sound: a number that stands for nothing; undefined when nothing is. */
export function pathsFault(run: Run): string | undefined {
  if (!(PATH_CELLS in run.arrays.entries)) return undefined;
  const { data } = arrayNamed(run.arrays, PATH_CELLS);
  for (let start = 0; start < data.length; start += PATH_FIELDS.length) {
    const [mode, sender, receiver] = data.subarray(start, start + PATH_FIELDS.length) as unknown as [number, number, number];
    if (PATH_MODES[mode] === undefined) return `the mode of measured edge ${start / PATH_FIELDS.length} is ${mode}`;
    if (!isEdge(shapeOf(run), { sender, receiver })) return `measured edge ${start / PATH_FIELDS.length}, from ${sender} to ${receiver}, is no edge of its model`;
  }
  return undefined;
}

/** The extents that a run's arrays of paths have. */
export function pathExtents(manifest: Pick<RunManifest, 'model' | 'pairs'>): { pair: number; sender: number; receiver: number } {
  const shape = shapeOf(manifest);
  return { pair: manifest.pairs.length, sender: senderCount(shape), receiver: receiverCount(shape) };
}

interface MeasuredRow {
  mode: PathMode;
  sender: number;
  receiver: number;
  /** By pair. */
  effects: Float32Array;
}

function rowsOf({ manifest, arrays }: Run): MeasuredRow[] {
  if (!(PATH_CELLS in arrays.entries)) return [];
  const cells = arrayNamed(arrays, PATH_CELLS).data;
  const effects = arrayNamed(arrays, PATH_EFFECTS).data;
  const pairs = manifest.pairs.length;
  return Array.from({ length: cells.length / PATH_FIELDS.length }, (_, i) => {
    const [mode, sender, receiver] = cells.subarray(i * PATH_FIELDS.length, (i + 1) * PATH_FIELDS.length) as unknown as [number, number, number];
    return { mode: PATH_MODES[mode]!, sender, receiver, effects: effects.subarray(i * pairs, (i + 1) * pairs) };
  });
}

/** These arrays in place of those of their names. */
function withArrays(arrays: NamedArrays, added: Parameters<typeof packArrays>[0]): NamedArrays {
  const kept = Object.keys(arrays.entries).filter((name) => !added.some((array) => array.name === name));
  return packArrays([...kept.map((name) => ({ name, ...arrayNamed(arrays, name) })), ...added]);
}
