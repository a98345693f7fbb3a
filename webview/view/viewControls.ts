import { metricTitle, metricUnit } from '../../src/shared/metrics';
import { otherSide } from '../../src/shared/otherSide';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { capitalised } from '../../src/shared/text';
import { averagedRun, canNormalise, isAlone, type ViewOptions } from '../../src/shared/views';
import { scaleWords } from '../model/facts';
import type { ViewName } from '../model/viewState';
import { dropDown, el, segmented } from './dom';

export interface ViewChoices {
  pair(pair: ViewOptions['pair']): void;
  unit(unit: ViewOptions['unit']): void;
  of(of: 'mean' | 'pair'): void;
}

/** Views whose numbers have a unit of their own, and which. */
const FIXED_UNITS: Partial<Record<ViewName, string>> = { logits: 'This view is always in logits' };
/** Views that show one pair, and of it nothing else. */
const FIXED_PARTS: Partial<Record<ViewName, string>> = { ...FIXED_UNITS, attention: 'Attention is always a pair’s own' };

/** What is chosen for all views: which pairs, what of a pair, in which unit. */
export function viewControls(run: RunSummary, options: ViewOptions, view: ViewName, choose: ViewChoices): HTMLElement[] {
  const fixed = FIXED_UNITS[view];
  const alone = FIXED_PARTS[view];
  const title = metricTitle(run.metric);
  const normalises = canNormalise(averagedRun(run, options));
  const reason = isAlone(run) ? `the ${title} of the clean run is not positive, so that nothing is a share of it.` : `clean and ${otherSide(run)} are too close to divide by their difference in ${title}.`;
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
    ...(run.pairs.length === 1 || options.pair === 'all'
      ? []
      : [
          segmented<'mean' | 'pair'>(
            'Of the pair',
            [
              { value: 'mean', label: 'Share of mean', disabled: alone !== undefined, title: alone ?? `What it adds to the mean of ${run.pairs.length} pairs: the shares of all pairs add up to the whole` },
              { value: 'pair', label: 'Own', disabled: alone !== undefined, title: alone ?? 'Its own effect, as if it were the only pair; normalised by its own difference' },
            ],
            options.of ?? 'mean',
            choose.of,
          ),
        ]),
    segmented(
      'Unit',
      [
        { value: 'normalised', label: 'Normalised', disabled: fixed !== undefined || !normalises, title: fixed ?? (normalises ? scaleWords(run, { ...options, unit: 'normalised' }) : capitalised(reason)) },
        { value: 'raw', label: `Raw ${metricUnit(run.metric)}`, disabled: fixed !== undefined, title: fixed },
      ],
      options.unit,
      choose.unit,
    ),
    ...(normalises ? [] : [el('p', { class: 'caption', text: `Not normalised: ${reason}` })]),
  ];
}
