import type { NamedArrays } from './arrays';
import type { Variant } from './experiment';
import type { Edge } from './graph/nodes';
import type { BackendInfo, MetricValues, PairGroup } from './results';

/** Edges, paths and circuits: what the engine returns and a run keeps of them. Conventions: docs/conventions.md, "Edges". */

/**
 * Through which LayerNorms the gradient of an edge runs as through a constant scale 1/σ:
 *   full      none: what EAP and EAP-IG compute, the estimate of direct edge patching with LayerNorm recomputed
 *   receiver  the receiver's own only: the estimate of direct path patching with the receiver's scale frozen
 *   all       every LayerNorm of the backward pass, the final one's included (Nanda's post)
 */
export type EdgeLayerNorm = 'full' | 'receiver' | 'all';
export const EDGE_LAYER_NORMS: readonly EdgeLayerNorm[] = ['full', 'receiver', 'all'];

/**
 * How edges are attributed; `variant` of the experiment is put aside for these. Nothing: EAP (gradient at the base run).
 * integrated: EAP-IG (inputs). bothGradients: clean-corrupted. The two exclude each other.
 */
export interface EdgeMethod extends Pick<Variant, 'integrated' | 'bothGradients'> {
  layerNorm?: EdgeLayerNorm;
}

/** EAP-IG's paper and MIB take five steps; its code today starts at the corrupted input (left). */
export const DEFAULT_EDGE_STEPS = 5;
/** What is offered first wherever edges are attributed: EAP-IG from the corrupted input on. */
export const DEFAULT_EDGE_METHOD: EdgeMethod = { integrated: { steps: DEFAULT_EDGE_STEPS, rule: 'left' } };

/** Arrays of an EdgeResult, and of a run's paths. */
export const EDGE_SCORES = 'paths.edges';
export const SENDER_SCORES = 'paths.senders';

/**
 * Edge attribution. Arrays, raw units of the metric, positive supports the correct answer:
 *   paths.edges    [pair, sender, receiver]  Σ_position (clean − other)_sender · ∂M/∂input_receiver, 0 where there is no edge
 *   paths.senders  [pair, sender]            Σ_position (clean − other)_sender · ∂M/∂(residual stream after the sender), the node's score
 * and per group, where receivers were asked for by position
 *   group{g}.paths.positions  [pair, sender, receiver (as asked for), position]
 */
export interface EdgeResult {
  groups: PairGroup[];
  arrays: NamedArrays;
  metric: MetricValues<number[]>;
  backend: BackendInfo;
  seconds: number;
}

export function edgePositionsName(group: number): string {
  return `group${group}.paths.positions`;
}

/**
 * Exact path patching of one edge:
 *   direct        the receiver's input in the base run takes the other side's output of the sender, LayerNorm recomputed
 *   directFrozen  the same with the receiver's LayerNorm scale that of the base run (TransformerLens's direct path patching in its
 *                 earlier versions; 4.3 computes the exact edge, as `direct`)
 *   throughMlps   the IOI paper's three passes: base run with the sender patched and all other heads frozen, MLPs recomputed; what
 *                 then reaches the receiver is patched in the base run
 */
export type PathMode = 'direct' | 'directFrozen' | 'throughMlps';
export const PATH_MODES: readonly PathMode[] = ['direct', 'directFrozen', 'throughMlps'];

/** Effects of patched edges: [edge, pair], raw units; signs as in MeasuredEffects. */
export interface MeasuredPaths {
  mode: PathMode;
  edges: Edge[];
  effects: Float32Array;
}

export interface PathPatchResult extends MeasuredPaths {
  groups: PairGroup[];
  metric: MetricValues<number[]>;
  backend: BackendInfo;
  seconds: number;
}

/**
 * The metric of every pair with all edges outside a circuit ablated: the clean prompts are run, and along each of these edges the
 * receiver gets the other side's output of the sender (the corrupted prompt's, zero, the mean, the next pair's) instead of the current
 * one, LayerNorm recomputed. The full circuit gives `clean`, the empty one `empty`, which under `corrupted` is the corrupted metric.
 */
export interface CircuitMetrics {
  /** [circuit][pair], raw. */
  values: number[][];
  clean: number[];
  empty: number[];
  backend: BackendInfo;
  seconds: number;
}

/** A circuit as a run keeps it. */
export interface StoredCircuit {
  name: string;
  /** As `edgeName` writes them. */
  edges: string[];
  /** How it was found, in words: "top 40 of EAP-IG (5 steps), pruned". */
  origin: string;
  createdAt: string;
  /** As measured on this run's pairs; absent until it is. */
  faithfulness?: CircuitFaithfulness;
  notes?: string;
}

export interface CircuitFaithfulness {
  /** What stands on ablated edges. */
  ablation: 'corrupted' | 'zero' | 'mean' | 'resample';
  /** Means over the pairs, raw. */
  metric: number;
  full: number;
  empty: number;
  /** (metric − empty)/(full − empty), MIB's; null where full and empty do not differ. */
  value: number | null;
  /** The same with the circuit's own edges ablated and all others kept: 0 when nothing outside does its work. */
  knockedOut?: number | null;
}

/** What a person adds to the graph; node names as `nodeName` writes them. */
export interface GraphNotes {
  /** Free names of nodes: "name mover". Nodes of one name form a group. */
  names: Record<string, string>;
  pinned: string[];
  text: string;
}
