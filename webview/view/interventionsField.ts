import type { Direction, Intervention, Other, Unit, Variant } from '../../src/shared/experiment';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { OTHER_WORDS, standInWords } from '../../src/shared/otherSide';
import { unitWords } from '../../src/shared/variants';
import { firstStandIn, standInFault, standIns } from '../model/standIns';
import { button, el } from './dom';

type Joint = Pick<Variant, 'interventions' | 'stopGradient'>;

/** Of the experiment in which they are done. */
interface Setting {
  direction: Direction;
  other: Other;
  /** The run's prompts by length. */
  groups: RunSummary['groups'];
}

/** What is done to the base run before anything is measured in it, and where no gradient flows: parts are added by selecting them. */
export function interventionsField({ interventions = [], stopGradient = [] }: Joint, { direction, other: side, groups }: Setting, selected: Unit | undefined, set: (joint: Joint) => void): HTMLElement {
  const without = <T>(list: readonly T[], place: number): T[] | undefined => (list.length > 1 ? list.filter((_, index) => index !== place) : undefined);
  const add = (intervention: Intervention): void => set({ interventions: [...interventions, intervention], stopGradient: kept(stopGradient) });
  const rows = [
    ...interventions.map(({ unit, with: other }, place) => row(`${unitWords(unit)} ← ${standInWords(other, direction)}`, () => set({ interventions: without(interventions, place), stopGradient: kept(stopGradient) }))),
    ...stopGradient.map((unit, place) => row(`gradient stopped at ${unitWords(unit)}`, () => set({ interventions: kept(interventions), stopGradient: without(stopGradient, place) }))),
  ];
  const first = firstStandIn({ groups }, side);
  const how = el(
    'select',
    { attributes: { 'aria-label': 'What stands in for the selected part', 'data-key': 'stands in' } },
    standIns(side).map((value) => {
      const fault = standInFault({ groups }, value);
      const name = value === 'corrupted' ? standInWords(value, direction) : OTHER_WORDS[value].name;
      return el('option', { text: fault === undefined ? name : `${name} (${fault})`, attributes: { value, disabled: fault !== undefined, selected: value === first } });
    }),
  );
  return el('fieldset', { class: 'interventions' }, [
    el('legend', { class: 'field-name', text: 'Interventions in the base run: the model is attributed with them done' }),
    rows.length > 0 && el('ul', {}, rows),
    selected
      ? el('span', { class: 'integration' }, [
          el('span', { text: `Selected: ${unitWords(selected)}` }),
          how,
          button('Intervene', () => add({ unit: selected, with: how.value as Other }), { title: 'Adds it to what is done to the base run' }),
          button('Stop gradient', () => set({ interventions: kept(interventions), stopGradient: [...stopGradient, selected] }), { title: 'No gradient flows back through it: effects that it does not mediate' }),
        ])
      : el('p', { class: 'caption', text: 'Select a head or a position below to patch or ablate it here.' }),
  ]);
}

function kept<T>(list: readonly T[]): T[] | undefined {
  return list.length > 0 ? [...list] : undefined;
}

function row(text: string, remove: () => void): HTMLElement {
  return el('li', {}, [el('span', { text }), el('button', { class: 'link', text: 'Remove', attributes: { type: 'button', 'aria-label': `Remove ${text}` }, on: { click: remove } })]);
}
