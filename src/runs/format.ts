import { arrayNamed, packArrays, sizeOf, type ArrayEntry, type NamedArrays } from '../shared/arrays';
import { CircuitError } from '../shared/errors';
import { EXACT_CELLS, EXACT_EFFECTS, EXACT_FIELDS, exactFault } from '../shared/exact';
import { PATH_CELLS, PATH_EFFECTS, PATH_FIELDS, pathExtents, pathsFault } from '../shared/graph/stored';
import { EDGE_SCORES, SENDER_SCORES } from '../shared/paths';
import { groupArrayName } from '../shared/results';
import { RUN_FORMAT_VERSION, type Run, type RunManifest } from '../shared/run';
import { SITE_NAMES, SITES } from '../shared/sites';
import { checkManifest } from './manifest';

/**
 * A run as one safetensors file: eight bytes with the header's length, the header as JSON, then float32 numbers (little-endian).
 * The header's `__metadata__` holds texts only, as safetensors demands:
 *   format_version  "2"; 1 is read too. Edges, paths and circuits were added to 2 later: a run need not have them
 *   manifest        RunManifest as JSON
 *   axes            {array name: [axis names]} as JSON
 * The arrays are those of `Run` (`group0.z`, …, `exact.effects`). In Python:
 *
 *   arrays = safetensors.numpy.load_file("run.safetensors")
 *   manifest = json.loads(safetensors.safe_open("run.safetensors", "np").metadata()["manifest"])
 */

/** Bytes before the header. */
export const PREFIX_BYTES = 8;
/** The limit of the safetensors library itself. */
const LARGEST_HEADER = 100_000_000;
const ALIGNMENT = 8;
const FLOAT_BYTES = 4;

interface TensorHeader {
  dtype: 'F32';
  shape: number[];
  data_offsets: [number, number];
}

export interface RunHeader {
  manifest: RunManifest;
  /** In floats, from the start of the data; in the data's order. */
  entries: NamedArrays['entries'];
}

function damaged(what: string): CircuitError {
  return new CircuitError('run-file', `This run file is damaged: ${what}. Run the experiment again, or restore the file from a copy.`);
}

/** The file's bytes. Arrays are written one after the other, however they lay in the run's buffer. */
export function encodeRun(run: Run): Uint8Array {
  const views = Object.keys(run.arrays.entries).map((name) => ({ name, ...arrayNamed(run.arrays, name) }));
  const packed = packArrays(views);
  const header: Record<string, TensorHeader | Record<string, string>> = {
    __metadata__: {
      format_version: String(RUN_FORMAT_VERSION),
      manifest: JSON.stringify(run.manifest),
      axes: JSON.stringify(Object.fromEntries(views.map(({ name, axes }) => [name, axes]))),
    },
  };
  for (const [name, { shape, offset }] of Object.entries(packed.entries)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset * FLOAT_BYTES, (offset + sizeOf(shape)) * FLOAT_BYTES] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // Padded with spaces, as safetensors allows, so that the numbers start at a multiple of eight.
  const headerBytes = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(PREFIX_BYTES + headerBytes + packed.data.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, PREFIX_BYTES, PREFIX_BYTES + headerBytes);
  bytes.set(json, PREFIX_BYTES);
  // Every platform we run on is little-endian, so the floats' own bytes are the file's.
  bytes.set(new Uint8Array(packed.data.buffer), PREFIX_BYTES + headerBytes);
  return bytes;
}

/** The run in a file's bytes. Throws `run-file` for anything that is not a sound run of a version that we read. */
export function decodeRun(bytes: Uint8Array): Run {
  const length = headerLength(bytes, bytes.length);
  const start = PREFIX_BYTES + length;
  const { manifest, entries } = decodeHeader(bytes.subarray(PREFIX_BYTES, start), bytes.length - start);
  // A copy, for alignment; not `slice`, which for a Node Buffer is a view of the whole pool.
  const data = new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
  const run: Run = { manifest, arrays: { data, entries } };
  checkNumbers(run);
  return run;
}

/** Length of the header in bytes, read from the first eight of a file of `fileBytes` bytes. Throws `run-file`. */
export function headerLength(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < PREFIX_BYTES || fileBytes < PREFIX_BYTES) throw damaged('it is shorter than the smallest safetensors file');
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(LARGEST_HEADER) || Number(length) > fileBytes - PREFIX_BYTES) {
    throw damaged(`its header claims ${length} bytes, the file has ${fileBytes}; it is cut off or no safetensors file`);
  }
  return Number(length);
}

/** Everything but the numbers, of which there are `dataBytes` bytes. Throws `run-file`. */
export function decodeHeader(header: Uint8Array, dataBytes: number): RunHeader {
  const fields = parseObject(decodeText(header), 'its header');
  const { __metadata__: metadata, ...tensors } = fields;
  if (!isObject(metadata)) throw notARun();
  const version = checkVersion(metadata);
  const manifest = checkManifest(parseObject(textOf(metadata, 'manifest'), 'its manifest'), version);
  const axes = parseObject(textOf(metadata, 'axes'), 'its list of axes');
  const entries = checkTensors(tensors, axes, dataBytes);
  checkArrays(manifest, entries);
  return { manifest, entries };
}

function notARun(): CircuitError {
  return new CircuitError('run-file', 'This is a safetensors file, but not a run of Circuit Explorer: it has no manifest.');
}

/** The file's version, one that we read. */
function checkVersion(metadata: Record<string, unknown>): number {
  if (metadata['format_version'] === undefined) throw notARun();
  const written = Number(metadata['format_version']);
  if (!Number.isSafeInteger(written) || written < 1) throw damaged('its format version is no version');
  if (written > RUN_FORMAT_VERSION) {
    throw new CircuitError(
      'run-file',
      `This run was written by ${writerOf(metadata)} in run format ${written}; this version reads formats up to ${RUN_FORMAT_VERSION}. Update Circuit Explorer to open it.`,
    );
  }
  return written;
}

/** Best effort: the manifest of a newer format may look different. */
function writerOf(metadata: Record<string, unknown>): string {
  try {
    const { extensionVersion } = JSON.parse(String(metadata['manifest'])) as { extensionVersion?: unknown };
    if (typeof extensionVersion === 'string') return `Circuit Explorer ${extensionVersion}`;
  } catch {
    // A newer manifest need not be JSON; the format's number is said in any case.
  }
  return 'a newer Circuit Explorer';
}

/** Shapes, types and offsets: the tensors fill the data without gap or overlap. */
function checkTensors(tensors: Record<string, unknown>, axes: Record<string, unknown>, dataBytes: number): NamedArrays['entries'] {
  const found = Object.entries(tensors).map(([name, tensor]) => {
    if (!/^[A-Za-z][A-Za-z0-9_.]{0,99}$/.test(name)) throw damaged(`an array has the name ${JSON.stringify(name.slice(0, 40))}`);
    const { shape, start, end } = checkTensor(name, tensor);
    const names = Object.hasOwn(axes, name) ? axes[name] : undefined;
    if (!Array.isArray(names) || names.length !== shape.length || !names.every((axis) => typeof axis === 'string')) {
      throw damaged(`the axes of array ${name} are missing or do not fit its shape`);
    }
    return { name, shape, start, end, axes: names as string[] };
  });
  found.sort((a, b) => a.start - b.start || a.end - b.end);
  let next = 0;
  const entries: NamedArrays['entries'] = {};
  for (const { name, shape, start, end, axes: names } of found) {
    if (start !== next) throw damaged(`array ${name} begins at byte ${start} of the data instead of ${next}: arrays overlap or leave a gap`);
    entries[name] = { axes: names, shape, offset: start / FLOAT_BYTES };
    next = end;
  }
  if (next !== dataBytes) throw damaged(`its arrays need ${next} bytes of data, the file has ${dataBytes}`);
  return entries;
}

function checkTensor(name: string, tensor: unknown): { shape: number[]; start: number; end: number } {
  if (!isObject(tensor)) throw damaged(`array ${name} is not described`);
  const { dtype, shape, data_offsets: offsets } = tensor;
  if (dtype !== 'F32') throw damaged(`array ${name} has type ${JSON.stringify(dtype)}, runs hold F32`);
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) throw damaged(`array ${name} has no proper shape or offsets`);
  const [start, end] = offsets as [number, number];
  const bytes = sizeOf(shape) * FLOAT_BYTES;
  if (!Number.isSafeInteger(bytes) || end - start !== bytes) {
    throw damaged(`array ${name} of shape ${shape.join('×')} does not fit its ${end - start} bytes`);
  }
  return { shape, start, end };
}

/** The arrays that views read have the extents which the manifest says. A run need not have every site. */
function checkArrays(manifest: RunManifest, entries: NamedArrays['entries']): void {
  const { layers, heads, dMlp } = manifest.model;
  manifest.groups.forEach((group, index) => {
    const extents = { pair: group.pairs.length, layer: layers, position: group.positions === 'last' ? 1 : group.length, head: heads, neuron: dMlp };
    for (const site of SITE_NAMES) {
      const name = groupArrayName(index, site);
      const entry = entries[name];
      if (!entry) continue;
      checkArray(name, entry, SITES[site].axes, SITES[site].axes.map((axis) => extents[axis]));
    }
  });
  checkExact(manifest, entries);
  checkPaths(manifest, entries);
}

function checkExact(manifest: RunManifest, entries: NamedArrays['entries']): void {
  const cells = entries[EXACT_CELLS];
  const effects = entries[EXACT_EFFECTS];
  if ([cells, effects, manifest.exactSites].every((part) => part === undefined)) return;
  if (!cells || !effects || !manifest.exactSites) throw damaged('of its exact effects the cells, the effects or the sites are missing');
  const count = cells.shape[0]!;
  checkArray(EXACT_CELLS, cells, ['cell', 'field'], [count, EXACT_FIELDS.length]);
  checkArray(EXACT_EFFECTS, effects, ['cell', 'pair'], [count, manifest.pairs.length]);
}

function checkPaths(manifest: RunManifest, entries: NamedArrays['entries']): void {
  const { pair, sender, receiver } = pathExtents(manifest);
  const [edges, senders] = [entries[EDGE_SCORES], entries[SENDER_SCORES]];
  if (edges || senders || manifest.paths) {
    if (!edges || !senders || !manifest.paths) throw damaged('of its edges the scores, those of the senders or the method are missing');
    checkArray(EDGE_SCORES, edges, ['pair', 'sender', 'receiver'], [pair, sender, receiver]);
    checkArray(SENDER_SCORES, senders, ['pair', 'sender'], [pair, sender]);
  }
  const [cells, effects] = [entries[PATH_CELLS], entries[PATH_EFFECTS]];
  if (!cells && !effects) return;
  if (!cells || !effects) throw damaged('of its patched paths the edges or the effects are missing');
  const count = cells.shape[0]!;
  checkArray(PATH_CELLS, cells, ['edge', 'field'], [count, PATH_FIELDS.length]);
  checkArray(PATH_EFFECTS, effects, ['edge', 'pair'], [count, pair]);
}

function checkArray(name: string, { axes, shape }: ArrayEntry, expectedAxes: readonly string[], expected: readonly number[]): void {
  if (axes.join() === expectedAxes.join() && shape.join() === expected.join()) return;
  throw damaged(`array ${name} is ${shape.join('×')} (${axes.join(', ')}), expected ${expected.join('×')} (${expectedAxes.join(', ')})`);
}

/** All numbers are numbers; only where a patch was not measured for a pair there is NaN. */
function checkNumbers(run: Run): void {
  for (const name of Object.keys(run.arrays.entries)) {
    const { data } = arrayNamed(run.arrays, name);
    const isSound = name === EXACT_EFFECTS ? (value: number): boolean => Number.isNaN(value) || Number.isFinite(value) : Number.isFinite;
    if (!data.every((value) => isSound(value))) throw damaged(`array ${name} holds values that are no numbers (NaN or infinity)`);
  }
  const fault = exactFault(run) ?? pathsFault(run);
  if (fault !== undefined) throw damaged(fault);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CircuitError('run-file', damaged('its header is not UTF-8').message, { cause });
  }
}

function parseObject(json: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new CircuitError('run-file', damaged(`${what} is not JSON`).message, { cause });
  }
  if (!isObject(value)) throw damaged(`${what} is not a JSON object`);
  return value;
}

function textOf(metadata: Record<string, unknown>, name: string): string {
  const value = metadata[name];
  if (typeof value !== 'string') throw damaged(`its ${name} is missing`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 0);
}
