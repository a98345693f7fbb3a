import { CircuitError } from '../../shared/errors';
import { PORTS, receiverCount, senderCount } from '../../shared/graph/nodes';
import type { BackendName } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { FLOAT, fillableBytes, gigabytes, longest } from '../model/memory';
import { directionsOf } from './attribution';
import { ROWS_OF_BLOCK } from './edgesBlocks';
import { SENDER_SITES, sendersBytes } from './edgesSenders';
import { passesOf } from './edgesSteps';
import type { Chunk, Plan } from './plan';
import { chunkBytes, refusePair } from './planMemory';

/** Most bytes that edge attribution of a chunk holds at a time beside the weights and the results. */
export function edgesBytes(config: Gpt2Config, plan: Plan, chunk: Chunk): number {
  const { heads, dModel } = config;
  const positions = Math.max(chunk.cleanLength, chunk.corruptedLength) - chunk.prefix;
  const pairs = chunk.pairs.length;
  const rows = pairs * positions;
  const block = Math.min(rows, ROWS_OF_BLOCK);
  const passes = directionsOf(plan).map(({ direction }) => passesOf(config, plan, chunk, direction));
  // Inputs that are run together: as many pairs with their prefixes, in the place of one input of each.
  const sequences = Math.max(pairs, ...passes.flatMap(({ batches }) => batches.map(({ batch: { inputs } }) => inputs.length)));
  const steps = chunkBytes(config, plan, { ...chunk, pairs: Array.from({ length: sequences }, () => chunk.pairs[0]!) }, { sites: [], record: true }) - chunkBytes(config, plan, chunk, { sites: [], record: true });
  // Of one layer: what reads gradients, unpacked by head; gradients on their way; a block's receivers and their products.
  const ports = PORTS.length * (dModel * dModel + sequences * positions * dModel);
  const [slots, floats] = [Math.max(...passes.map((own) => own.slots)), Math.max(...passes.map((own) => own.floats))];
  const inputs = (2 * PORTS.length * heads + 4 * (PORTS.length * heads + 5) + 2 * slots) * block * dModel;
  return chunkBytes(config, plan, chunk, { sites: SENDER_SITES, record: true }) + steps + sendersBytes(config, pairs, positions) + FLOAT * (ports + inputs + floats);
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
  const results = (own: number): number => 2 * edgesResultBytes(config, plan, own);
  const bytes = plan.chunks.map((chunk) => edgesBytes(config, plan, chunk));
  const needs = (own: number): number => Math.max(...bytes) + results(own);
  const fits = (own: number): boolean => needs(own) <= room;
  if (receivers > 0 && !fits(receivers) && fits(0)) {
    const fewer = longest(receivers, fits);
    throw new CircuitError('too-big', `Edges by position into ${receivers} receivers need about ${gigabytes(needs(receivers))}, but ${gigabytes(room)} are free: ${fewer === 0 ? 'there is room for the edges themselves only' : `there is room for ${fewer} at a time`}.`);
  }
  plan.chunks.forEach((chunk, index) => {
    if (bytes[index]! + results(receivers) > room) refusePair(plan, chunk, room, (own) => edgesBytes(config, plan, own) + results(0));
  });
}
