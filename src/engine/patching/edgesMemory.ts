import { CircuitError } from '../../shared/errors';
import { PORTS, receiverCount, senderCount } from '../../shared/graph/nodes';
import type { BackendName } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { FLOAT, fillableBytes, gigabytes, longest } from '../model/memory';
import { POSITIONS_APART, ROWS_OF_BLOCK } from './edgesBlocks';
import { SENDER_SITES, sendersBytes } from './edgesSenders';
import type { Chunk, Plan } from './plan';
import { chunkBytes, refusePair } from './planMemory';

/** Most bytes that edge attribution of a chunk, by position into some receivers, holds at a time beside the weights and the results. */
export function edgesBytes(config: Gpt2Config, plan: Plan, chunk: Chunk, receivers = 0): number {
  const { heads, dModel } = config;
  const positions = Math.max(chunk.cleanLength, chunk.corruptedLength) - chunk.prefix;
  const rows = chunk.pairs.length * positions;
  const block = Math.max(chunk.pairs.length, Math.min(rows, ROWS_OF_BLOCK));
  // Of one layer: queries', keys' and values' gradients and what reads them, by head; a block's inputs of all ports.
  const ports = PORTS.length * (2 * rows * dModel + 3 * dModel * dModel);
  const apart = Math.min(receivers, PORTS.length * heads + 1) * Math.min(POSITIONS_APART, positions);
  const inputs = (2 * (4 + apart) + 9 * PORTS.length * heads) * block * dModel + 8 * rows * dModel;
  return chunkBytes(config, plan, chunk, { sites: SENDER_SITES, record: true }) + sendersBytes(config, chunk.pairs.length, positions) + FLOAT * (ports + inputs);
}

/** Bytes of the result: edges and senders of every pair, and what is wanted by position. */
export function edgesResultBytes(config: Gpt2Config, { groups }: Plan, receivers: number): number {
  const [senders, all] = [senderCount(config), receiverCount(config)];
  return FLOAT * senders * groups.reduce((sum, { pairs, length }) => sum + pairs.length * (all + 1 + receivers * length), 0);
}

/** Throws `too-big` when the call would not fit beside the loaded model, saying what would. */
export function checkEdges(config: Gpt2Config, plan: Plan, receivers: number, backend: BackendName, free: number): void {
  const room = fillableBytes(config, backend, free);
  // The results twice: as they are summed up, and packed.
  const needs = (chunk: Chunk, own: number): number => edgesBytes(config, plan, chunk, own) + 2 * edgesResultBytes(config, plan, own);
  const fits = (own: number): boolean => plan.chunks.every((chunk) => needs(chunk, own) <= room);
  if (receivers > 0 && !fits(receivers) && fits(0)) {
    const fewer = longest(receivers, fits);
    throw new CircuitError('too-big', `Edges by position into ${receivers} receivers need about ${gigabytes(Math.max(...plan.chunks.map((chunk) => needs(chunk, receivers))))}, but ${gigabytes(room)} are free: ${fewer === 0 ? 'there is room for the edges themselves only' : `there is room for ${fewer} at a time`}.`);
  }
  for (const chunk of plan.chunks) {
    if (needs(chunk, receivers) > room) refusePair(plan, chunk, room, (own) => needs(own, 0));
  }
}
