import { emptyMask, type EdgeMask } from './mask';
import { receiverCount, senderCount, senderOfReceiver, sendersInto, type GraphShape } from './nodes';

/**
 * The set without dangling edges: again and again every node is dropped that no edge leads into (but the input) or none out of (but
 * the logits), with its edges, until none is left (EAP-IG). In a graph without cycles that leaves exactly the edges that lie on
 * some path from the input to the logits, which one pass in each direction finds. A head is one node, whichever of its inputs is reached.
 */
export function prune(shape: GraphShape, mask: EdgeMask): EdgeMask {
  const receivers = receiverCount(shape);
  const senders = senderCount(shape);
  // Senders by their index, the logits after them. Both orders, of senders and receivers, are those of the forward pass.
  const nodeOf = Int32Array.from({ length: receivers }, (_, receiver) => senderOfReceiver(shape, receiver) ?? senders);
  const fromInput = new Uint8Array(senders + 1);
  fromInput[0] = 1;
  for (let receiver = 0; receiver < receivers; receiver++) {
    const end = sendersInto(shape, receiver);
    for (let sender = 0; sender < end && !fromInput[nodeOf[receiver]!]; sender++) {
      if (fromInput[sender] && mask[sender * receivers + receiver] === 1) fromInput[nodeOf[receiver]!] = 1;
    }
  }
  const toLogits = new Uint8Array(senders + 1);
  toLogits[senders] = 1;
  const pruned = emptyMask(shape);
  for (let receiver = receivers - 1; receiver >= 0; receiver--) {
    if (!toLogits[nodeOf[receiver]!]) continue;
    const end = sendersInto(shape, receiver);
    for (let sender = 0; sender < end; sender++) {
      if (mask[sender * receivers + receiver] !== 1) continue;
      toLogits[sender] = 1;
      if (fromInput[sender]) pruned[sender * receivers + receiver] = 1;
    }
  }
  return pruned;
}
