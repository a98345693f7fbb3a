import { edgeNamed, nodeName, nodeNamed, nodeOfReceiver, receiverAt, senderAt, type Edge, type GraphShape, type Port } from '../shared/graph/nodes';
import { usage } from './flags';

/** Nodes and edges as people type them: `a9.h9` and `9.9` are the same head, `9.9<q>` its query. */

const HOW = 'input, logits, a head as a9.h9 or 9.9 (an input of it as 9.9<q>), an MLP as m5';

/** Whether an edge leads into this node (or this input of a head). Throws `usage`. */
export function leadsInto(shape: GraphShape, model: string, written: string): (edge: Edge) => boolean {
  const { name, port } = nodeWritten(shape, model, '--into', written);
  if (name === 'input') throw usage('--into input: nothing leads into the input.');
  return ({ receiver }) => {
    const own = receiverAt(shape, receiver);
    return nodeName(nodeOfReceiver(own)) === name && (port === undefined || (own.kind === 'head' && own.port === port));
  };
}

/** Whether an edge leads out of this node. Throws `usage`. */
export function leadsFrom(shape: GraphShape, model: string, written: string): (edge: Edge) => boolean {
  const { name, port } = nodeWritten(shape, model, '--from', written);
  if (name === 'logits') throw usage('--from logits: nothing leads out of the logits.');
  if (port !== undefined) throw usage(`--from ${written}: queries, keys and values are inputs; name the head alone.`);
  return ({ sender }) => nodeName(senderAt(shape, sender)) === name;
}

/** The edge of a name such as `a5.h5->a8.h6<v>` or `5.5->8.6<v>`. Throws `usage`. */
export function edgeWritten(shape: GraphShape, model: string, written: string): Edge {
  const edge = edgeNamed(shape, written.split('->').map(inFull).join('->'));
  if (!edge) throw usage(`${model} has no edge "${written}"; edges are named as in 'a5.h5->a8.h6<v>', 'input->m0', 'm3->logits', and run from earlier to later components.`);
  return edge;
}

function nodeWritten(shape: GraphShape, model: string, flag: string, written: string): { name: string; port?: Port } {
  const [, node = '', port] = /^([^<>]*)(?:<([qkv])>)?$/.exec(inFull(written)) ?? [];
  const found = nodeNamed(shape, node);
  if (!found || (port !== undefined && found.kind !== 'head')) throw usage(`${flag}: ${model} has no node "${written}"; there are ${HOW}.`);
  return { name: nodeName(found), ...(port !== undefined && { port: port as Port }) };
}

/** `9.9` as `a9.h9`. */
function inFull(node: string): string {
  return node.replace(/^(\d+)\.(\d+)/, 'a$1.h$2');
}
