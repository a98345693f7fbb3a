import { agreementOf } from '../shared/agreement';
import { CircuitError } from '../shared/errors';
import { exactLookup } from '../shared/exact';
import { fromMib } from '../shared/graph/mib';
import { edgeAt, edgeName, edgeNamed, matrixIndex } from '../shared/graph/nodes';
import { rankedIndices } from '../shared/graph/select';
import { edgeScores, shapeOf } from '../shared/graph/stored';
import type { PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import { headScores, type ViewOptions } from '../shared/views';
import { attributed, working } from './attribute';
import { readGraph } from './circuit';
import type { VerifyPublishedCommand } from './graphArguments';
import { modelOf, type Surroundings } from './prepare';
import { GPT2 } from './published/gpt2';
import type { Published } from './published/published';
import { verifyPublishedJson, verifyPublishedTables } from './verifyPublishedTables';

/** One published number beside ours. */
export interface Comparison {
  what: string;
  published: number;
  ours: number;
}

/** Everything that `verify-published` shows. */
export interface Verification {
  run: Run;
  published: Published;
  /** Within `published.nodes.bound` of each other. */
  nodes: Comparison[];
  /** Strongest of theirs first; ours in logits, theirs with the sign turned where that agrees better. */
  edges: Comparison[];
  edgeSource: string;
  signTurned: boolean;
  spearman: number | undefined;
  /** Only a whole graph file has enough edges for a bound. */
  spearmanBound?: number;
}

/**
 * Runs what is published of a model and compares. Returns how many bounds are not met.
 * Throws `model-missing` where the model is not on this machine, `experiment` where it is another one, and for a graph file that is none of it.
 */
export async function verifyPublished(command: VerifyPublishedCommand, surroundings: Surroundings, published: Published = GPT2): Promise<number> {
  const { runner, folder, print } = surroundings;
  const graph = command.circuit === undefined ? undefined : readScores(command.circuit, await readGraph(command.circuit, folder), published);
  const { model, pairs, prependBos, nodes, edges } = published;
  const reference = (await modelOf(command.model, folder, undefined, folder)) ?? model;
  const label = `verify-published ${command.of}`;
  const settings = { model: reference, backend: command.backend, threads: command.threads, prependBos, direction: 'denoise' as const };
  const sites = [...new Set(nodes.heads.map(({ site }) => site))];
  const job = { experiment: { metric: 'logitDiff' as const, direction: 'denoise' as const, model: reference, prependBos, pairs }, settings, title: `published numbers of ${command.of}`, sites };
  const first = await attributed(job, label, label, surroundings);
  checkShape(first, published);
  const cells = nodes.heads.map(({ site, layer, head }): PatchCell => ({ site, layer, head }));
  const patched = await working(label, label, surroundings, (call) => runner.patch({ run: first, settings, cells }, call));
  const run = await working(label, label, surroundings, (call) => runner.paths({ run: patched, settings, method: edges.method }, call));
  const verification = compare(run, published, graph && { scores: graph, source: command.circuit! });
  print(command.json ? `${JSON.stringify(verifyPublishedJson(verification))}\n` : verifyPublishedTables(verification));
  return misses(verification).length;
}

/** What is further off than its bound. */
export function misses({ nodes, published, spearman, spearmanBound }: Verification): string[] {
  const off = nodes.filter(({ published: theirs, ours }) => !(Math.abs(theirs - ours) <= published.nodes.bound)).map(({ what }) => what);
  const isBelow = spearmanBound !== undefined && !(spearman !== undefined && spearman >= spearmanBound);
  return [...off, ...(isBelow ? ['ranks of the edges'] : [])];
}

export function compare(run: Run, published: Published, graph?: { scores: Float32Array; source: string }): Verification {
  const { nodes, edges } = published;
  const theirs = graph ? strongestOf(run, graph.scores, edges.compared) : edges.list;
  const shape = shapeOf(run);
  const scores = edgeScores(run, { pair: 'all', unit: 'raw' });
  const compared = theirs.map(({ edge, score }): Comparison => ({ what: edge, published: score, ours: scores[matrixIndex(shape, edgeNamed(shape, edge)!)]! }));
  const ranks = agreementOf(compared.map(({ published: exact, ours: estimate }) => ({ estimate, exact }))).spearman;
  const signTurned = ranks !== undefined && ranks < 0;
  return {
    run,
    published,
    nodes: nodeComparisons(run, nodes),
    edges: signTurned ? compared.map((row) => ({ ...row, published: -row.published })) : compared,
    edgeSource: graph ? `${graph.source}, its ${theirs.length} strongest edges` : edges.source,
    signTurned,
    spearman: ranks === undefined ? undefined : Math.abs(ranks),
    ...(graph && { spearmanBound: edges.spearman }),
  };
}

function nodeComparisons(run: Run, { logitDiff, heads }: Published['nodes']): Comparison[] {
  const { pairs } = run.manifest;
  const view: ViewOptions = { pair: 'all', unit: 'normalised' };
  const exact = exactLookup(run, view);
  const estimate = (site: (typeof heads)[number]['site'], layer: number, head: number): number => {
    const { values, columns } = headScores(run.manifest, run.arrays, site, 'all', view);
    return values[layer * columns + head]!;
  };
  return [
    { what: 'logit difference, mean', published: logitDiff.mean, ours: pairs.reduce((sum, { metric }) => sum + metric.clean, 0) / pairs.length },
    ...pairs.map(({ name, metric }, i) => ({ what: `logit difference, ${name}`, published: logitDiff.perPair[i]!, ours: metric.clean })),
    ...heads.flatMap(({ site, layer, head, exact: theirExact, attribution }) => [
      { what: `${site} ${layer}.${head}, patched`, published: theirExact, ours: exact({ site, layer, head }) },
      { what: `${site} ${layer}.${head}, attributed`, published: attribution, ours: estimate(site, layer, head) },
    ]),
  ];
}

function strongestOf(run: Run, scores: Float32Array, count: number): { edge: string; score: number }[] {
  const shape = shapeOf(run);
  return Array.from(rankedIndices(shape, scores).subarray(0, count), (index) => ({ edge: edgeName(shape, edgeAt(shape, index)), score: scores[index]! }));
}

function readScores(name: string, text: string, { layers, heads, dModel }: Published): Float32Array {
  try {
    const { scores } = fromMib(text, { layers, heads, dModel });
    if (!scores) throw new CircuitError('experiment', 'This graph has no scores to compare with.');
    return scores;
  } catch (error) {
    if (!CircuitError.is(error, 'experiment')) throw error;
    throw new CircuitError('experiment', `${name}: ${error.message}`, { cause: error.cause });
  }
}

function checkShape({ manifest: { model } }: Run, { layers, heads, dModel, model: name }: Published): void {
  if (model.layers === layers && model.heads === heads && model.dModel === dModel) return;
  throw new CircuitError('experiment', `The published numbers are those of ${name}, ${layers} layers of ${heads} heads, d_model ${dModel}; ${model.id} has ${model.layers} layers of ${model.heads} heads, d_model ${model.dModel}.`);
}
