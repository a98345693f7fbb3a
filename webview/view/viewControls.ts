import type { RunSummary } from '../../src/shared/panelProtocol';
import type { ViewOptions } from '../../src/shared/views';
import { metricWords } from '../model/experiment';
import { otherSide, unitWords } from '../model/facts';
import { dropDown, el, segmented } from './dom';

export interface ViewChoices {
  pair(pair: ViewOptions['pair']): void;
  unit(unit: ViewOptions['unit']): void;
}

/** What is chosen for all views: which pairs, in which unit. */
export function viewControls(run: RunSummary, options: ViewOptions, choose: ViewChoices): HTMLElement[] {
  const { short } = metricWords(run.metric);
  const alone = run.pairs[0]?.metric.corrupted === undefined;
  const reason = alone ? `The ${short} of the clean run is too close to zero to divide by.` : `The ${short}s of clean and ${otherSide(run)} are too close to divide by.`;
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
        { value: 'normalised', label: 'Normalised', disabled: !run.canNormalise, title: run.canNormalise ? unitWords(run, 'normalised') : reason },
        { value: 'raw', label: `Raw ${metricWords(run.metric).unit}` },
      ],
      options.unit,
      choose.unit,
    ),
    ...(run.canNormalise ? [] : [el('p', { class: 'caption', text: `Not normalised: ${reason.toLowerCase()}` })]),
  ];
}
