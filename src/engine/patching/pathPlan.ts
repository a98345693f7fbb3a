import { CircuitError } from '../../shared/errors';
import { edgeName, isEdge, type Edge, type GraphShape, type Sender } from '../../shared/graph/nodes';
import { PATH_MODES, type PathMode } from '../../shared/paths';
import type { BackendName } from '../../shared/results';
import type { SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { FLOAT, fillableBytes } from '../model/memory';
import type { Work } from '../model/work';
import { batchWork, planBatches, sequencesAtOnce, type PatchBatch } from './exactBatches';
import { makeJobs, type PatchJob } from './exactJobs';
import { blocksOf, MOST_BATCH, MOST_KEPT, sourceBytes, sourceRows } from './exactPlan';
import type { Needs } from './exactSources';
import type { SitePlace } from './groupMeans';
import { inputOf, outputOf, patchesOfEdge, pathEdge, type PathEdge, type StreamPlace } from './pathParts';
import type { Plan } from './plan';
import { checkKept } from './planMemory';

export interface PathPlan {
  plan: Plan;
  mode: PathMode;
  edges: readonly PathEdge[];
  jobs: readonly PatchJob[];
  /** Indices into the edges. */
  blocks: readonly (readonly number[])[];
  keeps: boolean;
  batchBytes: number;
  /** Rows · layers of all passes. */
  work: number;
}

type Shape = Pick<PathPlan, 'edges' | 'mode' | 'batchBytes'> & { config: Gpt2Config };

/**
 * Decides what is run in what order. `plan` has no variant. Direct edges go by the layer in which patched runs start, so that
 * they fill batches; through MLPs they go by sender, so that each sender's second pass is run once for all its receivers.
 * Throws `experiment` for what is no edge and for experiments that paths are not derived for, `too-big`, and `cancelled`: tens of
 * thousands of edges take a while.
 */
export async function planPaths(plan: Plan, edges: readonly Edge[], mode: PathMode, config: Gpt2Config, [backend, free]: [BackendName, number], work: Work): Promise<PathPlan> {
  checkPaths(plan, edges, mode, config);
  await work.pause();
  const jobs = makeJobs(plan, config);
  const fillable = fillableBytes(config, backend, free);
  const batchBytes = Math.min(MOST_BATCH, fillable / 4);
  const shape = { mode, batchBytes, config, edges: edges.map((edge) => pathEdge(config, edge)) };
  const all = edges.map((_, index) => index);
  await work.pause();
  const needs: Needs[] = [];
  for (const job of jobs) {
    needs.push(pathNeeds(shape, job, all));
    await work.pause();
  }

  const streams = (job: PatchJob): number => (mode === 'throughMlps' ? sendersAtOnce(jobs) * streamBytes(shape, job) : 0);
  checkKept(config, plan, senderPlaces(shape.edges), (chunk, index) => {
    const own = { ...jobs[index]!, chunk, baseLength: baseLengthOf(jobs[index]!, chunk), otherLength: chunk.cleanLength };
    return sourceBytes(config, own, needs[index]!) + streams(own);
  }, backend, free);
  const kept = jobs.reduce((sum, job, index) => sum + sourceBytes(config, job, needs[index]!), 0);
  const keeps = kept <= Math.min(MOST_KEPT, fillable / 2);
  const blocks = mode === 'throughMlps' ? blocksBySender(shape, jobs) : blocksByLayer(shape, jobs, keeps);
  const own = { ...shape, plan, jobs, blocks, keeps };
  return { ...own, work: await workOf(own, work) };
}

function baseLengthOf({ cleanIsBase }: PatchJob, { cleanLength, corruptedLength }: PatchJob['chunk']): number {
  return cleanIsBase ? cleanLength : corruptedLength;
}

function checkPaths({ experiment, groups }: Plan, edges: readonly Edge[], mode: PathMode, shape: GraphShape): void {
  if (!PATH_MODES.includes(mode)) throw new CircuitError('experiment', `There is no way to patch paths called "${String(mode)}"; there are ${PATH_MODES.join(', ')}.`);
  if (typeof experiment.metric === 'object') {
    throw new CircuitError('experiment', `Paths end in the logits, so they are measured by a metric of the logits, not by ${experiment.metric.activation}. Choose another metric.`);
  }
  const unequal = groups.find(({ positions }) => positions === 'last');
  if (unequal) {
    throw new CircuitError('experiment', `Pair ${unequal.pairs[0]! + 1} has prompts of unequal token counts, so that what a path carries at one position has no counterpart. Choose prompts of equal length.`);
  }
  edges.forEach((edge, index) => {
    if (!isEdge(shape, edge)) {
      throw new CircuitError('experiment', `Edge ${index + 1} (sender ${String(edge.sender)}, receiver ${String(edge.receiver)}) is not there: this model has ${shape.layers} layers of ${shape.heads} heads, and edges run from ${edgeName(shape, { sender: 0, receiver: 0 })} on upwards.`);
    }
  });
}

/** The batches that a block needs of a job. A batch that starts after the last layer has nothing left to run. */
export function pathBatches({ edges, batchBytes, config }: Shape, job: PatchJob, block: readonly number[]): PatchBatch[] {
  const { layers } = config;
  const patches = block.flatMap((index) => patchesOfEdge(job, edges[index]!, index, layers));
  const { baseLength: length, chunk: { prefix, tail } } = job;
  return planBatches(patches, { length, prefix, tail, latestLayer: layers, sequences: sequencesAtOnce(config, length, batchBytes) });
}

/** What a block needs of a job's base and other runs. */
export function pathNeeds(shape: Shape, job: PatchJob, block: readonly number[]): Needs {
  const { layers } = shape.config;
  const { baseLength, chunk: { prefix, tail } } = job;
  const patches = oneOfEachKind(shape, block).flatMap((index) => patchesOfEdge(job, shape.edges[index]!, index, layers));
  const run = patches.map(({ part }) => part).filter(({ layer }) => layer < layers);
  const senders = block.map((index) => outputOf(shape.edges[index]!.from));
  const inputs = block.map((index) => inputOf(shape.edges[index]!.to, layers));
  const base = [...senders, ...inputs, ...(shape.mode === 'throughMlps' ? secondPass(shape, block) : [])];
  return {
    layers: new Set(run.map(({ layer }) => layer)),
    keysAndValues: run.some(({ first }) => Math.min(first, baseLength - tail) > prefix),
    other: byLayers(senders),
    // Kept as `stream` anyway where patched runs start.
    base: byLayers(base.filter(({ site }) => site !== 'resid_pre')),
  };
}

/** Edges of one kind have patches of the same layer, positions and pairs, and there are few kinds: plans of all edges look at each once. */
function kindOf({ from, to }: PathEdge, layers: number): string {
  return [from.kind === 'input', startLayer({ to }, layers), to.kind === 'head' ? to.port : to.kind].join();
}

function oneOfEachKind({ edges, config: { layers } }: Shape, block: readonly number[]): number[] {
  return [...new Map(block.map((index) => [kindOf(edges[index]!, layers), index])).values()];
}

/** The batches of single edges. */
function batchesByKind(shape: Shape): (job: PatchJob, index: number) => PatchBatch[] {
  const known = new Map<PatchJob, Map<string, PatchBatch[]>>();
  return (job, index) => {
    const own = known.get(job) ?? new Map<string, PatchBatch[]>();
    known.set(job, own);
    const kind = kindOf(shape.edges[index]!, shape.config.layers);
    const batches = own.get(kind) ?? pathBatches(shape, job, [index]);
    own.set(kind, batches);
    return batches;
  };
}

/** Of the base run, what the second pass of the IOI paper's path patching goes on from: see `pathStreams`. */
function secondPass({ edges, config: { layers } }: Shape, block: readonly number[]): StreamPlace[] {
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer): StreamPlace[] => {
    const passes = block.some((index) => firstMlp(edges[index]!.from) <= layer);
    return passes ? [{ site: 'resid_mid', layer }, { site: 'attn_out', layer }] : [];
  });
}

/** The first layer whose MLP reads what a sender writes. */
export function firstMlp(from: Sender): number {
  return from.kind === 'input' ? 0 : from.kind === 'mlp' ? from.layer + 1 : from.layer;
}

function byLayers(places: readonly StreamPlace[]): Map<SiteName, Set<number>> {
  const layers = new Map<SiteName, Set<number>>();
  for (const { site, layer } of places) layers.set(site, (layers.get(site) ?? new Set<number>()).add(layer));
  return layers;
}

/** Where the means of other = mean are taken. */
export function senderPlaces(edges: readonly PathEdge[]): SitePlace[] {
  const places = edges.map(({ from }) => outputOf(from));
  return [...new Map(places.map((place) => [`${place.site}.${place.layer}`, place])).values()];
}

function blocksByLayer(shape: Shape, jobs: readonly PatchJob[], endsEarly: boolean): number[][] {
  const { edges, config } = shape;
  const layerOf = (index: number): number => startLayer(edges[index]!, config.layers);
  const order = edges.map((_, index) => index).sort((a, b) => layerOf(a) - layerOf(b) || edges[a]!.receiver - edges[b]!.receiver || edges[a]!.sender - edges[b]!.sender || a - b);
  return blocksOf({ ...shape, jobs }, order, layerOf, batchesByKind(shape), endsEarly);
}

function startLayer({ to }: Pick<PathEdge, 'to'>, layers: number): number {
  return to.kind === 'logits' ? layers : to.kind === 'mlp' ? to.layer + 1 : to.layer;
}

const SECOND_PASS_ROWS = 512;

/** Senders of a block, so that their second passes are about one batch. */
function sendersAtOnce(jobs: readonly PatchJob[]): number {
  const rows = Math.max(1, ...jobs.map(({ pairs, baseLength, chunk }) => pairs.length * (baseLength - chunk.prefix)));
  return Math.max(1, Math.floor(SECOND_PASS_ROWS / rows));
}

function blocksBySender({ edges }: Shape, jobs: readonly PatchJob[]): number[][] {
  const order = edges.map((_, index) => index).sort((a, b) => edges[a]!.sender - edges[b]!.sender || edges[a]!.receiver - edges[b]!.receiver || a - b);
  const most = sendersAtOnce(jobs);
  const blocks: number[][] = [];
  let senders = new Set<number>();
  for (const index of order) {
    const { sender } = edges[index]!;
    if (blocks.length === 0 || (senders.size >= most && !senders.has(sender))) {
      blocks.push([]);
      senders = new Set();
    }
    senders.add(sender);
    blocks.at(-1)!.push(index);
  }
  return blocks;
}

/** The most that one sender's second passes leave in plain memory. */
function streamBytes({ edges, config: { layers, dModel } }: Shape, { pairs, baseLength, chunk }: PatchJob): number {
  const inputs = new Set(edges.map(({ to }) => JSON.stringify(inputOf(to, layers)))).size;
  return FLOAT * inputs * pairs.length * (baseLength - chunk.prefix) * dModel;
}

const EDGES_BETWEEN_POLLS = 2048;

async function workOf({ plan, jobs, blocks, keeps, mode, ...shape }: Omit<PathPlan, 'work'> & { config: Gpt2Config }, polled: Work): Promise<number> {
  const { layers } = shape.config;
  const own = { ...shape, mode };
  const sources = jobs.reduce((sum, job) => sum + sourceRows(job), 0) * (keeps ? 1 : blocks.length);
  const means = plan.experiment.other === 'mean' ? jobs.reduce((sum, { pairs, chunk }) => sum + pairs.length * chunk.cleanLength, 0) : 0;
  const batchesOf = batchesByKind(own);
  let third = 0;
  for (let index = 0; index < own.edges.length; index++) {
    if (index % EDGES_BETWEEN_POLLS === 0) await polled.pause();
    for (const job of jobs) for (const batch of batchesOf(job, index)) third += batchWork(batch, job.baseLength, layers);
  }
  const second = mode === 'throughMlps' ? jobs.reduce((sum, job) => sum + secondPassWork(own, job), 0) : 0;
  return (sources + means) * layers + second + third;
}

/** Rows · layers of the second passes of all senders. */
function secondPassWork({ edges, config: { layers } }: Shape, { pairs, baseLength, chunk }: PatchJob): number {
  const last = new Map<number, number>();
  for (const edge of edges) last.set(edge.sender, Math.max(last.get(edge.sender) ?? 0, lastMlp(edge, layers) + 1 - firstMlp(edge.from)));
  return pairs.length * (baseLength - chunk.prefix) * [...last.values()].reduce((sum, own) => sum + Math.max(0, own), 0);
}

/** The last layer whose MLP may stand between sender and receiver. */
export function lastMlp({ to }: Pick<PathEdge, 'to'>, layers: number): number {
  return to.kind === 'logits' ? layers - 1 : to.layer - 1;
}
