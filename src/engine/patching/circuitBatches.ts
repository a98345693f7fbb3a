import type { EdgeMask } from '../../shared/graph/mask';
import { receiverCount, senderCount } from '../../shared/graph/nodes';
import type { BackendName } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { FLOAT, fillableBytes } from '../model/memory';
import type { Work } from '../model/work';
import { CIRCUIT_SITES } from './circuitAblated';
import { FLOATS_AT_ONCE } from './circuitMix';
import { CircuitPlan } from './circuitPlan';
import { MLP_ROWS } from './circuitRun';
import type { Chunk, Plan } from './plan';
import { chunkBytes, refusePair } from './planMemory';

/** Which circuits are run together, and what that takes. */

/** Bytes of one batch: more circuits at once are hardly quicker. */
const MOST_BATCH = 256 << 20;

/** Circuits from `first` on, as many as the plan has. */
export interface CircuitBatch {
  first: number;
  plan: CircuitPlan;
}

/** Plans as many circuits at a time as `most` bytes hold for this chunk, at least one. Throws `cancelled`. */
export async function* circuitBatches(config: Gpt2Config, chunk: Chunk, circuits: readonly EdgeMask[], ablatedIsRun: boolean, most: number, work: Work): AsyncGenerator<CircuitBatch> {
  const planOf = (first: number, end: number): CircuitPlan => {
    const plan = new CircuitPlan(config, ablatedIsRun);
    for (const mask of circuits.slice(first, end)) plan.add(mask);
    return plan;
  };
  let first = 0;
  while (first < circuits.length) {
    let plan = new CircuitPlan(config, ablatedIsRun);
    let end = first;
    while (end < circuits.length) {
      await work.pause();
      plan.add(circuits[end]!);
      if (end > first && batchBytes(config, chunk, sizeOf(plan)) > most) {
        // Without the one that was too many.
        plan = planOf(first, end);
        break;
      }
      end++;
    }
    yield { first, plan: plan.sorted() };
    first = end;
  }
}

/** Bytes that batches may fill beside the chunk's own runs. */
export function batchLimit(config: Gpt2Config, plan: Plan, [backend, free]: [BackendName, number]): number {
  const own = Math.max(...plan.chunks.map((chunk) => chunkBytes(config, plan, chunk, USE)));
  return Math.min(MOST_BATCH, fillableBytes(config, backend, free) - own);
}

const USE = { sites: CIRCUIT_SITES, record: false } as const;

/** Throws `too-big` when a chunk of the plan would not fit with the largest of the circuits alone. */
export function checkCircuitMemory(config: Gpt2Config, plan: Plan, circuits: readonly EdgeMask[], [backend, free]: [BackendName, number]): void {
  const limit = fillableBytes(config, backend, free);
  const size = { components: Math.max(0, ...circuits.map((mask) => sendersWithEdges(config, mask))), inputs: 3 * config.heads };
  const needs = (chunk: Chunk): number => chunkBytes(config, plan, chunk, USE) + (circuits.length > 0 ? batchBytes(config, chunk, size) : 0);
  for (const chunk of plan.chunks) if (needs(chunk) > limit) refusePair(plan, chunk, limit, needs);
}

interface BatchSize {
  components: number;
  /** Of the layer that has most of them. */
  inputs: number;
}

function sizeOf({ components, layers, outputs }: CircuitPlan): BatchSize {
  return { components, inputs: layers.reduce((most, { inputs, mlpInputs }) => Math.max(most, inputs.length, mlpInputs.length), outputs.length) };
}

/** What `runCircuitPlan` holds at a time, in plain memory and in the backend's. */
function batchBytes({ dModel, dMlp, layers }: Gpt2Config, { pairs, prefix, cleanLength: length }: Chunk, { components, inputs }: BatchSize): number {
  const rows = pairs.length * (length - prefix);
  // The ablated side: stream twice and outputs twice a layer, keys and values of the prefix.
  const side = layers * (4 * rows * dModel + 2 * pairs.length * prefix * dModel);
  // A layer's inputs, and what its heads make of them: queries, keys, values and z, those of the prefix included, stand for one more.
  const layer = inputs * (rows + pairs.length * length) * dModel;
  // One product at a time: its right operand, that again in the backend and packed, and its result before and after LayerNorm.
  const product = 3 * FLOATS_AT_ONCE + 4 * Math.min(inputs * rows * dModel, FLOATS_AT_ONCE);
  const mlp = Math.max(rows, Math.min(inputs * rows, MLP_ROWS)) * (5 * dMlp + 3 * dModel);
  return FLOAT * (side + (components + 1) * rows * dModel + layer + Math.max(product, mlp));
}

function sendersWithEdges(config: Gpt2Config, mask: EdgeMask): number {
  const width = receiverCount(config);
  let count = 0;
  for (let sender = 0; sender < senderCount(config); sender++) if (mask.subarray(sender * width, (sender + 1) * width).includes(1)) count++;
  return count;
}
