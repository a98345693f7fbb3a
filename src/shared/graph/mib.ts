import { CircuitError } from '../errors';
import { emptyMask, type EdgeMask } from './mask';
import {
  edgeAt,
  edgeIndices,
  edgeName,
  edgeNamed,
  matrixIndex,
  nodeName,
  nodeNamed,
  receiverCount,
  senderAt,
  senderCount,
  senderOfReceiver,
  sendersInto,
  type GraphShape,
} from './nodes';

/**
 * The graph JSON of EAP-IG's code (`Graph.to_json`, `Graph.from_json`), in which MIB's circuits are written:
 *
 *   {"cfg":   {"n_layers": 12, "n_heads": 12, "parallel_attn_mlp": false, "d_model": 768},
 *    "nodes": {"input": {"in_graph": true}, "a0.h0": {"in_graph": false}, …, "logits": {"in_graph": true}},
 *    "edges": {"input->a0.h0<q>": {"score": -0.0003, "in_graph": false}, …}}
 *
 * Scores are written with our sign, positive supports the correct answer, as EAP-IG's code writes them today; MIB's published file
 * has the opposite one. Their code chooses by |score|.
 */

/** What of a model the file names. */
export interface MibModel {
  layers: number;
  heads: number;
  dModel: number;
}

/** In UTF-16 units, which for JSON like this are bytes. */
export const LARGEST_GRAPH = 50_000_000;

/** A float32's digits that bring it back exactly. */
const EXACT_DIGITS = 9;

/** The whole graph with its scores [sender, receiver] and what of it is in the circuit; a node is in with any of its edges. `senderScores` [sender] where nodes have scores of their own. */
export function toMib(shape: GraphShape, model: Pick<MibModel, 'dModel'>, scores: Float32Array, mask: EdgeMask, senderScores?: Float32Array): string {
  const indices = edgeIndices(shape);
  const isIn = new Uint8Array(senderCount(shape) + 1);
  // The logits are in every graph.
  isIn[senderCount(shape)] = 1;
  for (const index of indices) {
    if (mask[index] !== 1) continue;
    const { sender, receiver } = edgeAt(shape, index);
    isIn[sender] = 1;
    isIn[senderOfReceiver(shape, receiver) ?? senderCount(shape)] = 1;
  }
  const nodes = Object.fromEntries(
    Array.from(isIn, (inside, node) => {
      const score = node < senderCount(shape) && senderScores ? { score: written(senderScores[node]!) } : {};
      return [node === senderCount(shape) ? 'logits' : nodeName(senderAt(shape, node)), { in_graph: inside === 1, ...score }];
    }),
  );
  const cfg = { n_layers: shape.layers, n_heads: shape.heads, parallel_attn_mlp: false, d_model: model.dModel };
  // Written by hand: of large models there are millions of edges. Their names need no escapes.
  const [senders, receivers] = [senderCount(shape), receiverCount(shape)];
  const from = Array.from({ length: senders }, (_, sender) => `"${nodeName(senderAt(shape, sender))}`);
  const edges = Array.from({ length: receivers }, (_, receiver) => {
    // What stands behind the sender's name.
    const into = edgeName(shape, { sender: 0, receiver }).slice('input'.length);
    let text = '';
    for (let sender = 0, count = sendersInto(shape, receiver); sender < count; sender++) {
      const index = sender * receivers + receiver;
      text += `${sender > 0 ? ',' : ''}${from[sender]}${into}":{"score":${JSON.stringify(written(scores[index]!))},"in_graph":${mask[index] === 1}}`;
    }
    return text;
  });
  return `{"cfg":${JSON.stringify(cfg)},"nodes":${JSON.stringify(nodes)},"edges":{${edges.join()}}}`;
}

/** What a graph file says: the circuit, which may be empty (MIB takes files of scores alone), and the scores, absent where none stands. */
export interface ImportedGraph {
  mask: EdgeMask;
  /** [sender, receiver]; 0 for edges that the file does not name or score. */
  scores?: Float32Array;
}

/**
 * Reads such a file, also as older versions of EAP-IG wrote it (nodes as true or false, scores that are null, no d_model). Edges
 * that it does not name are not in the circuit. Throws `experiment` saying what is wrong: no JSON or too much of it, another model,
 * nodes or edges that the model does not have (an edge back to an earlier component would close a cycle), a name twice, a score
 * that is no number, a circuit of neurons.
 */
export function fromMib(text: string, model: MibModel): ImportedGraph {
  if (text.length > LARGEST_GRAPH) throw refused(`it has ${Math.round(text.length / 1e6)} MB, the largest that is read is ${LARGEST_GRAPH / 1e6} MB`);
  const graph = parsed(text);
  checkModel(partOf(graph, 'cfg'), model);
  checkNodes(partOf(graph, 'nodes'), model);
  const mask = emptyMask(model);
  const scores = new Float32Array(mask.length);
  const indexOf = edgesByName(model);
  let hasScores = false;
  for (const [name, edge] of Object.entries(partOf(graph, 'edges'))) {
    const index = indexOf(name);
    if (!isObject(edge) || typeof edge['in_graph'] !== 'boolean') throw refused(`edge ${shown(name)} does not say whether it is in the circuit ("in_graph": true or false)`);
    const score = edge['score'] ?? null;
    if (score !== null && (typeof score !== 'number' || !Number.isFinite(Math.fround(score)))) throw refused(`the score of edge ${shown(name)} is no finite number`);
    if (edge['in_graph']) mask[index] = 1;
    if (score === null) continue;
    scores[index] = score;
    hasScores = true;
  }
  return hasScores ? { mask, scores } : { mask };
}

function refused(why: string, cause?: unknown): CircuitError {
  return new CircuitError('experiment', `This graph cannot be imported: ${why}.`, { cause });
}

function parsed(text: string): Record<string, unknown> {
  let graph: unknown;
  try {
    graph = JSON.parse(text);
  } catch (cause) {
    throw refused(`it is not JSON (${cause instanceof Error ? cause.message : String(cause)}); a graph saved by EAP-IG as .pt has to be saved with to_json`, cause);
  }
  if (!isObject(graph)) throw refused('it is no object with cfg, nodes and edges');
  checkNamesOnce(text, graph);
  return graph;
}

function partOf(graph: Record<string, unknown>, name: string): Record<string, unknown> {
  const part = Object.hasOwn(graph, name) ? graph[name] : undefined;
  if (!isObject(part)) throw refused(`its ${name} is missing or no object; a graph has cfg, nodes and edges`);
  return part;
}

function checkModel(cfg: Record<string, unknown>, { layers, heads, dModel }: MibModel): void {
  if (cfg['n_layers'] !== layers || cfg['n_heads'] !== heads || (cfg['d_model'] !== undefined && cfg['d_model'] !== dModel)) {
    const [theirs, ours] = [modelWords(cfg['n_layers'], cfg['n_heads'], cfg['d_model']), modelWords(layers, heads, dModel)];
    throw refused(`it is of another model, with ${theirs}; this experiment’s model has ${ours}`);
  }
  if (cfg['parallel_attn_mlp'] === true) throw refused('its model runs attention and MLP side by side (parallel_attn_mlp), this experiment’s one after the other');
}

function modelWords(layers: unknown, heads: unknown, dModel: unknown): string {
  return `${shown(layers)} layers, ${shown(heads)} heads${dModel === undefined ? '' : ` and d_model ${shown(dModel)}`}`;
}

function checkNodes(nodes: Record<string, unknown>, shape: GraphShape): void {
  for (const [name, node] of Object.entries(nodes)) {
    if (!nodeNamed(shape, name)) throw refused(`it names a node ${shown(name)} that the model does not have`);
    const inGraph = isObject(node) ? node['in_graph'] : node;
    if (typeof inGraph !== 'boolean') throw refused(`node ${shown(name)} does not say whether it is in the circuit ("in_graph": true or false)`);
    const neurons = isObject(node) ? node['neurons'] : undefined;
    if (Array.isArray(neurons) && inGraph && neurons.some((neuron) => neuron === false || neuron === 0)) {
      throw refused(`node ${shown(name)} is in only with some of its neurons; circuits here are of whole nodes`);
    }
  }
}

/** Where edges stand in matrices, by their names, of which there may be millions. Throws as `edgeOf`. */
function edgesByName(shape: GraphShape): (name: string) => number {
  const count = receiverCount(shape);
  const senders = new Map(Array.from({ length: senderCount(shape) }, (_, sender) => [nodeName(senderAt(shape, sender)), sender]));
  const receivers = new Map(Array.from({ length: count }, (_, receiver) => [edgeName(shape, { sender: 0, receiver }).slice('input->'.length), receiver]));
  const reach = Array.from({ length: count }, (_, receiver) => sendersInto(shape, receiver));
  return (name) => {
    const arrow = name.indexOf('->');
    const [sender, receiver] = [senders.get(name.slice(0, arrow)), receivers.get(name.slice(arrow + 2))];
    if (sender !== undefined && receiver !== undefined && sender < reach[receiver]!) return sender * count + receiver;
    return matrixIndex(shape, edgeOf(name, shape));
  };
}

function edgeOf(name: string, shape: GraphShape): { sender: number; receiver: number } {
  const edge = edgeNamed(shape, name);
  if (edge) return edge;
  const parts = /^(.+?)->([^<]+)(?:<(.*)>)?$/.exec(name);
  if (!parts) throw refused(`${shown(name)} is no name of an edge, such as a5.h5->a8.h6<v>`);
  const [from, to] = [nodeNamed(shape, parts[1]!), nodeNamed(shape, parts[2]!)];
  if (!from || !to) throw refused(`edge ${shown(name)} names a node ${shown(from ? parts[2] : parts[1])} that the model does not have`);
  if (from.kind === 'logits' || to.kind === 'input') throw refused(`edge ${shown(name)} leads out of the logits or into the input`);
  if (to.kind === 'head' && !['q', 'k', 'v'].includes(parts[3] ?? '')) throw refused(`edge ${shown(name)} does not say which input of the head it leads into (<q>, <k> or <v>)`);
  if (to.kind !== 'head' && parts[3] !== undefined) throw refused(`edge ${shown(name)} names an input that only heads have`);
  throw refused(`edge ${shown(name)} runs backwards: ${shown(parts[2])} is computed before or beside ${shown(parts[1])}, so that the graph would have a cycle`);
}

/** Names that every node or edge has. */
const FIELDS: readonly string[] = ['in_graph', 'score', 'neurons', 'neurons_scores'];

/** JSON.parse keeps the last of two equal names: that all were kept shows in their number. */
function checkNamesOnce(text: string, graph: Record<string, unknown>): void {
  const names = namesIn(text);
  if (names.length === nameCount(graph)) return;
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw refused(`it names ${shown(name)} twice`);
    if (!FIELDS.includes(name)) seen.add(name);
  }
  throw refused('one of its nodes or edges says something twice');
}

/** Every name of every object of a text that is JSON: the strings that a colon follows. */
function namesIn(json: string): string[] {
  const names: string[] = [];
  for (let start = json.indexOf('"'); start !== -1; ) {
    let end = start + 1;
    while (json[end] !== '"') end += json[end] === '\\' ? 2 : 1;
    let next = end + 1;
    while (next < json.length && ' \t\r\n'.includes(json[next]!)) next++;
    if (json[next] === ':') names.push(json.slice(start + 1, end));
    start = json.indexOf('"', next);
  }
  return names;
}

function nameCount(graph: unknown): number {
  let count = 0;
  const rest = [graph];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value !== 'object' || value === null) continue;
    const values: unknown[] = Object.values(value);
    if (!Array.isArray(value)) count += values.length;
    for (const item of values) rest.push(item);
  }
  return count;
}

function written(score: number): number {
  return Number(score.toPrecision(EXACT_DIGITS));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a file says, cut to what a message can hold. */
function shown(value: unknown): string {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : value === undefined ? 'no' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
