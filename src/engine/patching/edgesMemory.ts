import { CircuitError } from '../../shared/errors';
import { PORTS, receiverCount, senderCount } from '../../shared/graph/nodes';
import type { BackendName } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { FLOAT, fillableBytes, gigabytes } from '../model/memory';
import { ROWS_OF_BLOCK } from './edgesBlocks';
import { SENDER_SITES } from './edgesSenders';
import type { Chunk, Plan } from './plan';
import { chunkBytes, refusePair } from './planMemory';

/** Most bytes that edge attribution of a chunk holds at a time beside the weights and the results. */
export function edgesBytes(config: Gpt2Config, plan: Plan, chunk: Chunk): number {
  const { heads, dModel, layers } = config;
  const positions = Math.max(chunk.cleanLength, chunk.corruptedLength) - chunk.prefix;
  const rows = chunk.pairs.length * positions;
  const block = Math.max(chunk.pairs.length, Math.min(rows, ROWS_OF_BLOCK));
  const senders = senderCount({ layers, heads });
  // In plain memory the senders' differences and a layer's gradients by head; in the backend one pair's senders of a block.
  const kept = senders * rows * dModel + PORTS.length * rows * dModel + senders * Math.ceil(block / chunk.pairs.length) * dModel;
  // W_Q, W_K and W_V by head, with XNNPACK's packed copies; ports' inputs on their way through LayerNorm and into columns.
  const receivers = 3 * PORTS.length * dModel * dModel + 9 * PORTS.length * heads * block * dModel;
  return chunkBytes(config, plan, chunk, { sites: SENDER_SITES, record: true }) + FLOAT * (kept + receivers);
}

/** Bytes of the result: edges and senders of every pair, and what is wanted by position. */
export function edgesResultBytes(config: Gpt2Config, { groups }: Plan, receivers: number): number {
  const [senders, all] = [senderCount(config), receiverCount(config)];
  return FLOAT * senders * groups.reduce((sum, { pairs, length }) => sum + pairs.length * (all + 1 + receivers * length), 0);
}

/** Throws `too-big` when the call would not fit beside the loaded model, saying what would. */
export function checkEdges(config: Gpt2Config, plan: Plan, receivers: number, backend: BackendName, free: number): void {
  // Twice: as they are summed up, and packed.
  const result = 2 * edgesResultBytes(config, plan, receivers);
  const limit = fillableBytes(config, backend, free) - result;
  const fits = (own: number): boolean => plan.chunks.every((chunk) => edgesBytes(config, plan, chunk) + own <= limit + result);
  if (receivers > 0 && !fits(result) && fits(2 * edgesResultBytes(config, plan, 0))) {
    let fewer = receivers;
    while (fewer > 0 && !fits(2 * edgesResultBytes(config, plan, fewer))) fewer--;
    throw new CircuitError('too-big', `Edges by position into ${receivers} receivers need about ${gigabytes(result)}: ${fewer === 0 ? 'there is room for the edges themselves only' : `there is room for ${fewer}`}. Ask for fewer receivers at a time.`);
  }
  for (const chunk of plan.chunks) {
    if (edgesBytes(config, plan, chunk) > limit) refusePair(plan, chunk, limit, (own) => edgesBytes(config, plan, own));
  }
}
