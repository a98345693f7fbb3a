import { OTHERS, type Other } from '../../src/shared/experiment';
import type { CircuitSelection } from '../../src/shared/graph/select';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { GraphFormat } from '../../src/shared/pathsProtocol';
import type { ViewState } from '../model/viewState';
import type { TableOrder } from '../view/sortedTable';
import { ablationFault } from './ablations';

/** What the circuits view keeps for itself over reloads; never the figures. */
export interface CircuitsChoice {
  by: CircuitSelection['by'];
  /** What the number of edges is given in. */
  budget: 'edges' | 'percent';
  edges: number;
  percent: number;
  /** |score|, in the view's units. */
  threshold: number;
  prune: boolean;
  /** What stands on the edges outside a circuit, of all that is run from here. */
  ablation: Other;
  /** Absent: after the selection. */
  name?: string;
  order: TableOrder<CircuitColumn>;
  /** By their keys: the circuit that is looked at, and the one it is compared with. */
  circuit?: string;
  other?: string;
  lossOrder: TableOrder<LossColumn>;
  /** ACDC's threshold, in the metric's raw units. */
  refine: number;
  format: GraphFormat;
  curve: { by: 'top' | 'greedy'; random: number };
}

export type CircuitColumn = 'name' | 'edges' | 'nodes' | 'faithfulness' | 'knockedOut' | 'origin' | 'date';
export const CIRCUIT_COLUMNS: readonly CircuitColumn[] = ['name', 'edges', 'nodes', 'faithfulness', 'knockedOut', 'origin', 'date'];

export type LossColumn = 'from' | 'to' | 'port' | 'loss';
export const LOSS_COLUMNS: readonly LossColumn[] = ['from', 'to', 'port', 'loss'];

export const GRAPH_FORMATS: readonly GraphFormat[] = ['mib', 'dot', 'mermaid', 'csv'];

export const DEFAULT_EDGES = 40;
export const DEFAULT_PERCENT = 5;
export const DEFAULT_RANDOM = 20;
export const MOST_RANDOM = 100;
const LONGEST_NAME = 100;
const DEFAULT_REFINE = 0.01;

/** What was kept, as far as it means something. */
export function circuitsChoice(run: Pick<RunSummary, 'pairs' | 'groups' | 'metric'>, { own }: Pick<ViewState, 'own'>): CircuitsChoice {
  const kept = record(own.circuits);
  const order = record(kept.order);
  const lossOrder = record(kept.lossOrder);
  const curve = record(kept.curve);
  const possible = OTHERS.filter((ablation) => ablationFault(run, ablation) === undefined);
  return {
    by: (['top', 'threshold', 'greedy'] as const).find((by) => by === kept.by) ?? 'top',
    budget: kept.budget === 'percent' ? 'percent' : 'edges',
    edges: isWhole(kept.edges) && kept.edges >= 1 ? kept.edges : DEFAULT_EDGES,
    percent: isNumber(kept.percent) && kept.percent > 0 && kept.percent <= 100 ? kept.percent : DEFAULT_PERCENT,
    threshold: isNumber(kept.threshold) && kept.threshold >= 0 ? kept.threshold : 0.01,
    prune: kept.prune !== false,
    ablation: possible.find((ablation) => ablation === kept.ablation) ?? possible[0] ?? 'corrupted',
    ...(typeof kept.name === 'string' && kept.name.trim() !== '' && { name: kept.name.slice(0, LONGEST_NAME) }),
    order: { by: CIRCUIT_COLUMNS.find((column) => column === order.by) ?? 'date', descending: order.descending === true },
    ...(typeof kept.circuit === 'string' && { circuit: kept.circuit }),
    ...(typeof kept.other === 'string' && { other: kept.other }),
    lossOrder: { by: LOSS_COLUMNS.find((column) => column === lossOrder.by) ?? 'loss', descending: lossOrder.descending !== false },
    refine: isNumber(kept.refine) && kept.refine >= 0 ? kept.refine : DEFAULT_REFINE,
    format: GRAPH_FORMATS.find((format) => format === kept.format) ?? 'mib',
    curve: { by: curve.by === 'greedy' ? 'greedy' : 'top', random: isWhole(curve.random) && curve.random <= MOST_RANDOM ? curve.random : DEFAULT_RANDOM },
  };
}

/** The selection that a choice stands for in a graph of `total` edges; undefined for a share that comes to no edge. */
export function selectionOf({ by, budget, edges, percent, threshold }: CircuitsChoice, total: number): CircuitSelection | undefined {
  if (by === 'threshold') return { by, threshold };
  const count = budget === 'edges' ? Math.min(edges, total) : edgesOfShare(percent, total);
  return count === 0 ? undefined : { by, edges: count };
}

/** ⌊share · edges⌋, as MIB counts; 29 % of 100 edges are 29, whatever floating point makes of it. */
export function edgesOfShare(percent: number, total: number): number {
  return Math.floor((percent * total) / 100 + 1e-9);
}

/** What a circuit is called unless a person says otherwise. */
export function suggestedName(choice: CircuitsChoice, total: number): string {
  const selection = selectionOf(choice, total);
  if (!selection) return 'circuit';
  if (selection.by === 'threshold') return `|score| ≥ ${selection.threshold}`;
  return `${selection.by === 'top' ? 'top' : 'greedy'} ${selection.edges}`;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isWhole(value: unknown): value is number {
  return isNumber(value) && Number.isInteger(value) && value >= 0;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
