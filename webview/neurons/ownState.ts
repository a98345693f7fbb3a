import type { NeuronsPage, RunSummary } from '../../src/shared/panelProtocol';
import type { PatchCell } from '../../src/shared/results';
import { columnsOf, groupOf, type ViewState } from '../model/viewState';

/** Which neurons are listed: kept over reloads. A position is one of a layer and a length group. */
export interface NeuronsChoice {
  layer?: number;
  group: number;
  position?: number;
  from: number;
}

export const PAGE = 50;

type ShapeOfRun = Pick<RunSummary, 'groups' | 'model'>;

/** What was kept, as far as it means something for this run. */
export function neuronsChoice(run: ShapeOfRun, { own, options, group }: Pick<ViewState, 'own' | 'options' | 'group'>): NeuronsChoice {
  const kept = (own.neurons ?? {}) as Partial<Record<keyof NeuronsChoice, unknown>>;
  const inGroup = groupOf(run, options.pair) ?? (isIndex(kept.group, run.groups.length) ? kept.group : group);
  const layer = isIndex(kept.layer, run.model.layers) ? kept.layer : undefined;
  const position = layer !== undefined && isIndex(kept.position, columnsOf(run, inGroup)) ? kept.position : undefined;
  const from = isIndex(kept.from, run.model.layers * run.model.dMlp) ? kept.from - (kept.from % PAGE) : 0;
  return { layer, group: inGroup, position, from };
}

/** Another layer, group or position begins at the first page; without a layer there is no position. */
export function filtered(choice: NeuronsChoice, part: Partial<NeuronsChoice>): NeuronsChoice {
  const changed = { ...choice, ...part, from: 0 };
  if (changed.layer === undefined || changed.group !== choice.group) changed.position = undefined;
  return changed;
}

/** The panel shows another pair: its own length group goes with it. */
export function followPair(run: ShapeOfRun, choice: NeuronsChoice, pair: ViewState['options']['pair']): NeuronsChoice {
  const group = groupOf(run, pair) ?? choice.group;
  return filtered(choice, { group });
}

type Neuron = Pick<NeuronsPage['rows'][0], 'layer' | 'neuron'>;

export function neuronName({ layer, neuron }: Neuron): string {
  return `L${layer}N${neuron}`;
}

/** The part that a row stands for: the neuron at all positions, or at the one that is chosen. */
export function unitOf({ group, position }: Pick<NeuronsChoice, 'group' | 'position'>, { layer, neuron }: Neuron): PatchCell {
  return { site: 'mlp_post', layer, neuron, ...(position !== undefined && { group, position }) };
}

/** "1–50 of 15360" */
export function rangeWords({ from }: Pick<NeuronsChoice, 'from'>, shown: number, total: number): string {
  return total === 0 ? 'none' : `${from + 1}–${from + shown} of ${total}`;
}

function isIndex(value: unknown, extent: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < extent;
}
