import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ArrayView } from '../../../src/shared/arrays';
import { arrayNamed } from '../../../src/shared/arrays';
import type { Direction, TokenExperiment } from '../../../src/shared/experiment';
import { groupArrayName, type AttributionResult, type BackendName, type MetricValues, type PairGroup } from '../../../src/shared/results';
import type { SiteName } from '../../../src/shared/sites';
import type { Engine } from '../../../src/engine/client/engine';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import type { HashCheckpointConfig } from '../../fixtures/hashCheckpoint';
import { loadParams, remove, WASM_FOLDER, writeHashModel, type ExpectedArray } from './support';

/** Comparing the engine with PyTorch's values in test/fixtures/expected/sites-*.json (form: test/fixtures/README.md). */

export type ReferenceExperiment = Omit<TokenExperiment, 'direction'>;

export interface ReferenceCase<T> {
  checkpoint: string;
  name: string;
  experiment: ReferenceExperiment;
  metric: MetricValues<number[]>;
  directions: Partial<Record<Direction, T>>;
}

/** Read at once: the cases in a file name the tests. */
export function reference<T>(name: string): T & { checkpoints: HashCheckpointConfig[] } {
  return JSON.parse(readFileSync(path.join('test', 'fixtures', 'expected', `${name}.json`), 'utf8')) as T & { checkpoints: HashCheckpointConfig[] };
}

/** One engine that loads whichever checkpoint a case asks for; the cases of a checkpoint stand together. */
export class ReferenceEngine {
  readonly engine: Engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
  private readonly folders = new Map<string, string>();

  constructor(private readonly checkpoints: readonly HashCheckpointConfig[]) {}

  async with(checkpoint: string, backend: BackendName = 'wasm-simd'): Promise<Engine> {
    if (!this.folders.has(checkpoint)) this.folders.set(checkpoint, await writeHashModel(this.checkpoints.find(({ name }) => name === checkpoint)!));
    await this.engine.load(loadParams(this.folders.get(checkpoint)!, { backend, threads: 2 }));
    return this.engine;
  }

  async dispose(): Promise<void> {
    if (nearest.line) console.log(`      nearest to its bound: ${nearest.line}`);
    nearest = { share: -1, line: '' };
    await this.engine.dispose();
    for (const folder of this.folders.values()) await remove(folder);
  }
}

/** The bound of the issue: 1e-4 relative, or ten times PyTorch's own float32 error on the same values. */
export function bound(float32Error: number): number {
  return Math.max(1e-4, 10 * float32Error);
}

/** What is under this share of the largest value of all is measured against this share of it: as in make/sites_output.py. */
const FAINT = 1e-3;

export interface Comparison {
  /** What is compared, e.g. "z, layer 1". */
  what: string;
  values: ArrayLike<number>;
  reference: ArrayLike<number | null>;
  /** Largest |reference| that the values stand beside, e.g. of all layers; absent: their own. */
  overall?: number;
  float32Error: number;
  /** Says where element i is. */
  place?: (i: number) => string;
}

/** What came nearest to its bound, for the reader of the tests' output. */
let nearest = { share: -1, line: '' };

/** A line on how far the values are off, or undefined when they are within bounds. A null in the reference must be NaN. */
export function complaint({ what, values, reference: truth, overall = 0, float32Error, place = (i) => `element ${i}` }: Comparison): string | undefined {
  if (values.length !== truth.length) return `${what}: ${values.length} values, PyTorch has ${truth.length}`;
  let worst = -1;
  let worstAt = 0;
  let size = FAINT * overall;
  for (let i = 0; i < truth.length; i++) {
    const expected = truth[i];
    if (expected === null || expected === undefined) {
      if (!Number.isNaN(values[i]!)) return `${what}: ${values[i]!} at ${place(i)}, where there is nothing to measure (NaN)`;
      continue;
    }
    size = Math.max(size, Math.abs(expected));
    const own = Math.abs(values[i]! - expected);
    // Written so that NaN does not pass for a small number.
    if (!(own <= worst)) [worst, worstAt] = [own, i];
  }
  const error = worst <= 0 ? Math.max(worst, 0) : worst / size;
  const share = error / bound(float32Error);
  if (!(share <= nearest.share)) nearest = { share, line: `${what}: ${error.toExponential(1)} of ${bound(float32Error).toExponential(1)} allowed` };
  if (error <= bound(float32Error)) return undefined;
  return `${what}: off by ${error.toExponential(1)} of the largest (allowed ${bound(float32Error).toExponential(1)}); engine ${values[worstAt]!}, PyTorch ${truth[worstAt]!} at ${place(worstAt)}`;
}

export function largest(arrays: readonly ExpectedArray[]): number {
  return arrays.reduce((most, { data }) => data.reduce((own, value) => Math.max(own, Math.abs(value)), most), 0);
}

/** One pair's part of an attribution: [layer, position, …], for embed [position]. */
export function pairScores({ groups, arrays }: Pick<AttributionResult, 'groups' | 'arrays'>, site: SiteName, pair: number): ArrayView {
  const group = groups.findIndex(({ pairs }) => pairs.includes(pair));
  const { axes, shape, data } = arrayNamed(arrays, groupArrayName(group, site));
  const width = data.length / shape[0]!;
  const row = groups[group]!.pairs.indexOf(pair);
  return { axes: axes.slice(1), shape: shape.slice(1), data: data.subarray(row * width, (row + 1) * width) };
}

/** Per site and layer, over all pairs: what differs from the reference. */
export function attributionComplaints(result: AttributionResult, pairs: readonly Partial<Record<SiteName, ExpectedArray>>[], float32Error: Partial<Record<SiteName, number[]>>): string[] {
  const complaints: string[] = [];
  for (const site of Object.keys(float32Error) as SiteName[]) {
    const truths = pairs.map((pair) => pair[site]!);
    const own = truths.map((_, pair) => pairScores(result, site, pair));
    const badShape = truths.findIndex(({ shape }, pair) => shape.join() !== own[pair]!.shape.join());
    if (badShape !== -1) {
      complaints.push(`${site}: pair ${badShape} has shape ${own[badShape]!.shape.join('×')}, PyTorch ${truths[badShape]!.shape.join('×')}`);
      continue;
    }
    const overall = largest(truths);
    const layers = float32Error[site]!;
    layers.forEach((error, layer) => {
      const places: string[] = [];
      const values: number[] = [];
      const wanted: number[] = [];
      truths.forEach(({ shape, data }, pair) => {
        const width = data.length / layers.length;
        const inner = site === 'embed' ? [] : shape.slice(2);
        const depth = inner[0] ?? 1;
        for (let i = 0; i < width; i++) {
          values.push(own[pair]!.data[layer * width + i]!);
          wanted.push(data[layer * width + i]!);
          places.push(`pair ${pair}, position ${Math.floor(i / depth)}${depth > 1 ? `, ${site === 'mlp_post' ? 'neuron' : 'head'} ${i % depth}` : ''}`);
        }
      });
      const line = complaint({ what: `${site}, layer ${layer}`, values, reference: wanted, overall, float32Error: error, place: (i) => places[i]! });
      if (line) complaints.push(line);
    });
  }
  return complaints;
}

/** Metric values hold what PyTorch has, and no corrupted run where there is none. */
export function metricComplaints(own: MetricValues<number[]>, truth: MetricValues<number[]>): string[] {
  if ((own.corrupted === undefined) !== (truth.corrupted === undefined)) return [`metric.corrupted is ${own.corrupted ? 'given' : 'absent'}, PyTorch's is not`];
  const overall = Math.max(...[...truth.clean, ...(truth.corrupted ?? [])].map(Math.abs));
  const compare = (what: string, values: number[], wanted: number[]): string | undefined => complaint({ what, values, reference: wanted, overall: overall / FAINT, float32Error: 0, place: (i) => `pair ${i}` });
  const lines = [compare('metric.clean', own.clean, truth.clean), own.corrupted && compare('metric.corrupted', own.corrupted, truth.corrupted!)];
  return lines.filter((line): line is string => line !== undefined);
}

/** Pairs of one token count stand together, in the order in which the counts first appear. */
export function groupsOf({ pairs }: ReferenceExperiment): PairGroup[] {
  const lengths = [...new Set(pairs.map(({ clean }) => clean.length))];
  return lengths.map((length) => ({ pairs: pairs.flatMap((pair, i) => (pair.clean.length === length ? [i] : [])), length, positions: 'all' }));
}

export function failWith(complaints: readonly string[]): void {
  if (complaints.length > 0) throw new Error(`${complaints.length} differ${complaints.length === 1 ? 's' : ''} from PyTorch:\n        ${complaints.join('\n        ')}`);
}
