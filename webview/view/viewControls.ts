import { metricTitle, metricUnit } from '../../src/shared/metrics';
import { otherSide } from '../../src/shared/otherSide';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { capitalised } from '../../src/shared/text';
import type { ViewOptions } from '../../src/shared/views';
import { unitWords } from '../model/facts';
import type { ViewName } from '../model/viewState';
import { dropDown, el, segmented } from './dom';

export interface ViewChoices {
  pair(pair: ViewOptions['pair']): void;
  unit(unit: ViewOptions['unit']): void;
}

/** Views whose numbers have a unit of their own, and which. */
const FIXED_UNITS: Partial<Record<ViewName, string>> = {
  attention: 'Attention is a probability, and its attribution always in raw units',
  logits: 'This view is always in logits',
};

/** What is chosen for all views: which pairs, in which unit. */
export function viewControls(run: RunSummary, options: ViewOptions, view: ViewName, choose: ViewChoices): HTMLElement[] {
  const fixed = FIXED_UNITS[view];
  const title = metricTitle(run.metric);
  const alone = run.pairs[0]?.metric.corrupted === undefined;
  const reason = alone ? `the ${title} of the clean run is too close to zero to divide by.` : `clean and ${otherSide(run)} are too close to divide by their difference in ${title}.`;
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
        { value: 'normalised', label: 'Normalised', disabled: fixed !== undefined || !run.canNormalise, title: fixed ?? (run.canNormalise ? unitWords(run, 'normalised') : capitalised(reason)) },
        { value: 'raw', label: `Raw ${metricUnit(run.metric)}`, disabled: fixed !== undefined, title: fixed },
      ],
      options.unit,
      choose.unit,
    ),
    ...(run.canNormalise ? [] : [el('p', { class: 'caption', text: `Not normalised: ${reason}` })]),
  ];
}
