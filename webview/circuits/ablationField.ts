import { OTHERS, type Other } from '../../src/shared/experiment';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { el } from '../view/dom';
import { Slot } from '../view/slot';
import { ABLATIONS, ablationFault } from './ablations';

/** What stands on the edges outside a circuit, of all that is run from this view; what the run cannot have says why. */
export class AblationField {
  private readonly slot = new Slot(el('div'));
  readonly element = this.slot.element;

  constructor(private readonly choose: (ablation: Other) => void) {}

  render(run: RunSummary, chosen: Other): void {
    this.slot.render(JSON.stringify([chosen, run.metric, run.groups]), () => [
      el('fieldset', { class: 'ablations' }, [
        el('legend', { class: 'field-name', text: 'Ablation: what stands on the edges outside a circuit' }),
        ...OTHERS.map((value) => {
          const { label, explained } = ABLATIONS[value];
          const fault = ablationFault(run, value);
          const words = `ablation-${value}`;
          const input = el('input', {
            attributes: { type: 'radio', name: 'circuit-ablation', value, checked: value === chosen && fault === undefined, disabled: fault !== undefined, 'aria-describedby': words, 'data-key': `ablation ${value}` },
            on: { change: () => this.choose(value) },
          });
          return el('div', { class: 'ablation' }, [
            el('label', { class: fault === undefined ? undefined : 'disabled' }, [input, label]),
            el('span', { class: 'caption', text: fault === undefined ? explained : `Not with this run: ${fault}`, attributes: { id: words } }),
          ]);
        }),
      ]),
    ]);
  }
}
