import type { Engine } from '../../src/engine/client/engine';
import { arrayNamed } from '../../src/shared/arrays';
import type { TokenExperiment, TokenPair } from '../../src/shared/experiment';
import { edgeCount, edgeIndices, receiverCount, senderCount } from '../../src/shared/graph/nodes';
import { EDGE_SCORES, type EdgeMethod } from '../../src/shared/paths';
import { groupArrayName, type AttributionResult, type CallOptions, type ModelInfo, type PatchCell } from '../../src/shared/results';
import { BLOCK_EVERY, type SiteName } from '../../src/shared/sites';

/** What a workload asks of the engine. */
export type CallName = 'attribution' | 'heads' | 'blocks' | 'eap' | 'eapIg' | 'circuits';

export interface CallInput {
  model: ModelInfo;
  pairs: TokenPair[];
  /** Of `circuits`: edge scores [sender, receiver] by which edges are chosen. */
  scores?: Float32Array;
}

/** Runs the call and gives back how to read what the peers give too. Reading is no part of what is timed. */
export type Call = (engine: Engine, input: CallInput, options?: CallOptions) => Promise<() => number[]>;

/** The same ones at every release, so that figures can be compared. */
const SITES: readonly SiteName[] = ['z', 'attn_out', 'mlp_out', 'resid_pre'];

/** MIB's shares of all edges. */
export const SHARES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
export const EDGE_STEPS = 5;

export function budgets(model: ModelInfo): number[] {
  // At least one edge, and each budget another one, in the tiny model too.
  return SHARES.reduce<number[]>((all, share) => [...all, Math.max(Math.floor(share * edgeCount(model)), (all.at(-1) ?? 0) + 1)], []);
}

export const CALLS: Readonly<Record<CallName, Call>> = {
  attribution: async (engine, { model, pairs }, options) => {
    const result = await engine.attribute({ experiment: experimentOf(pairs, 'denoise'), sites: SITES }, options);
    return () => headScores(result, pairs.length, model);
  },
  heads: (engine, input, options) => patch(engine, input, headCells(input.model), options),
  blocks: (engine, input, options) => patch(engine, input, blockCells(input), options),
  eap: (engine, input, options) => edges(engine, input, 'noise', {}, options),
  eapIg: (engine, input, options) => edges(engine, input, 'denoise', { integrated: { steps: EDGE_STEPS, rule: 'left' } }, options),
  circuits: async (engine, { model, pairs, scores }, options) => {
    const result = await engine.circuits({ experiment: experimentOf(pairs, 'noise'), circuits: circuitsOf(model, scores!), ablation: 'corrupted' }, options);
    return () => result.values.map(mean);
  },
};

function experimentOf(pairs: TokenPair[], direction: TokenExperiment['direction']): TokenExperiment {
  return { metric: 'logitDiff', direction, pairs };
}

/** Written anew, not by shared/views: the bench compares with other libraries, and should not share a fault with what it measures. */
function headScores({ arrays, groups, metric }: AttributionResult, pairs: number, { layers, heads }: ModelInfo): number[] {
  const divisor = pairs * (mean(metric.clean) - mean(metric.corrupted!));
  const sums = new Array<number>(layers * heads).fill(0);
  groups.forEach((_, group) => {
    const { data, shape } = arrayNamed(arrays, groupArrayName(group, 'z'));
    const positions = shape[2]!;
    data.forEach((value, index) => {
      sums[(Math.floor(index / heads / positions) % layers) * heads + (index % heads)]! += value / divisor;
    });
  });
  return sums;
}

/** TransformerLens's get_act_patch_attn_head_out_all_pos. */
function headCells({ layers, heads }: ModelInfo): PatchCell[] {
  return Array.from({ length: layers * heads }, (_, i) => ({ site: 'z', layer: Math.floor(i / heads), head: i % heads }));
}

/** TransformerLens's get_act_patch_block_every. All pairs have one length. */
function blockCells({ model, pairs }: CallInput): PatchCell[] {
  const positions = pairs[0]!.clean.length;
  return BLOCK_EVERY.flatMap((site) =>
    Array.from({ length: model.layers * positions }, (_, i) => ({ site, layer: Math.floor(i / positions), position: i % positions, group: 0 })),
  );
}

async function patch(engine: Engine, { pairs }: CallInput, cells: PatchCell[], options?: CallOptions): Promise<() => number[]> {
  const { effects } = await engine.patch({ experiment: experimentOf(pairs, 'denoise'), cells }, options);
  return () => cells.map((_, cell) => mean(effects.subarray(cell * pairs.length, (cell + 1) * pairs.length)));
}

async function edges(engine: Engine, { model, pairs }: CallInput, direction: TokenExperiment['direction'], method: EdgeMethod, options?: CallOptions): Promise<() => number[]> {
  const { arrays } = await engine.edges({ experiment: experimentOf(pairs, direction), method }, options);
  return () => {
    const { data } = arrayNamed(arrays, EDGE_SCORES);
    const size = senderCount(model) * receiverCount(model);
    return Array.from({ length: size }, (_, edge) => mean(pairs.map((__, pair) => data[pair * size + edge]!)));
  };
}

/** One mask for each budget: the edges of largest |score|. */
function circuitsOf(model: ModelInfo, scores: Float32Array): Uint8Array[] {
  const ranked = Array.from(edgeIndices(model)).sort((a, b) => Math.abs(scores[b]!) - Math.abs(scores[a]!));
  return budgets(model).map((count) => {
    const mask = new Uint8Array(scores.length);
    for (const edge of ranked.slice(0, count)) mask[edge] = 1;
    return mask;
  });
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
