import type { RunSummary } from '../../src/shared/panelProtocol';
import type { HeadPositions, ViewOptions } from '../../src/shared/views';
import type { ViewState } from '../model/viewState';
import { dropDown, el, segmented } from './dom';

export interface ViewChoices {
  pair(pair: ViewOptions['pair']): void;
  unit(unit: ViewOptions['unit']): void;
  headPositions(positions: HeadPositions): void;
}

/** What is chosen for the whole view: which pairs, in which unit, and the heads at which positions. */
export function viewControls(run: RunSummary, { options, headPositions }: ViewState, choose: ViewChoices): HTMLElement[] {
  const reason = 'The logit differences of clean and corrupted are too close to divide by.';
  return [
    ...(run.pairs.length === 1
      ? []
      : [
          dropDown(
            'Pairs',
            [{ value: 'all', label: `All ${run.pairs.length} pairs` }, ...run.pairs.map(({ name }, index) => ({ value: String(index), label: name }))],
            String(options.pair),
            (value) => choose.pair(value === 'all' ? 'all' : Number(value)),
          ),
        ]),
    segmented(
      'Unit',
      [
        { value: 'normalised', label: 'Normalised', disabled: !run.canNormalise, title: run.canNormalise ? '0 corrupted … 1 clean' : reason },
        { value: 'raw', label: 'Raw logits' },
      ],
      options.unit,
      choose.unit,
    ),
    segmented(
      'Heads',
      [
        { value: 'all', label: 'All positions', title: 'Scores of each head summed over all positions' },
        { value: 'last', label: 'Last position', title: 'Scores of each head at the metric’s position only' },
      ],
      headPositions,
      choose.headPositions,
    ),
    ...(run.canNormalise ? [] : [el('p', { class: 'caption', text: `Not normalised: ${reason.toLowerCase()}` })]),
  ];
}
