import { INTEGRATION_RULES, type IntegrationRule } from '../../src/shared/experiment';
import { EDGE_LAYER_NORMS, type EdgeMethod } from '../../src/shared/paths';
import { countBox } from '../view/countBox';
import { button, el, segmented } from '../view/dom';
import { Slot } from '../view/slot';
import { GRADIENTS, gradientOf, LAYER_NORMS, withGradient } from './methodWords';

const MOST_STEPS = 512;
const RULE_WORDS: Record<IntegrationRule, string> = {
  left: 'left (EAP-IG’s code today)',
  right: 'right (its code before 2025)',
  midpoint: 'midpoint',
};

/** How the edges are to be attributed, and the button that does it. */
export class MethodForm {
  private readonly slot = new Slot(el('div', { class: 'method-form', attributes: { role: 'group', 'aria-label': 'How edges are attributed' } }));
  readonly element = this.slot.element;
  private known?: EdgeMethod;

  constructor(
    private method: EdgeMethod,
    private readonly compute: (method: EdgeMethod) => void,
    /** Of what only one form of the page may be called. */
    private readonly id = 'edge',
  ) {}

  /** `known`: how the run's edges are attributed already. */
  render(known: EdgeMethod | undefined): void {
    this.known = known;
    const { method } = this;
    const { integrated, layerNorm = 'full' } = method;
    this.slot.render(JSON.stringify([method, known]), () => [
      el('div', { class: 'toolbar' }, [
        segmented('Gradient', GRADIENTS, gradientOf(method), (gradient) => this.set(withGradient(method, gradient))),
        integrated && this.steps(integrated),
        integrated && this.rules(integrated),
      ]),
      el('p', { class: 'caption', text: `${GRADIENTS.find(({ value }) => value === gradientOf(method))!.title}.` }),
      el('fieldset', { class: 'layer-norms' }, [
        el('legend', { class: 'field-name', text: 'LayerNorm in the backward pass' }),
        ...EDGE_LAYER_NORMS.map((value) => {
          const { label, explained } = LAYER_NORMS[value];
          const words = `${this.id}-layer-norm-${value}`;
          const input = el('input', {
            attributes: { type: 'radio', name: `${this.id}-layer-norm`, value, checked: value === layerNorm, 'aria-describedby': words, 'data-key': `layerNorm ${value}` },
            on: { change: () => this.set({ ...method, layerNorm: value === 'full' ? undefined : value }) },
          });
          return el('div', { class: 'layer-norm' }, [el('label', {}, [input, label]), el('span', { class: 'caption', text: explained, attributes: { id: words } })]);
        }),
      ]),
      el('div', { class: 'actions' }, [button(known ? 'Attribute again' : 'Attribute edges', () => this.compute(this.method), { secondary: known !== undefined, key: 'attribute edges' })]),
    ]);
  }

  private set(method: EdgeMethod): void {
    // Without fields that say nothing, so that equal methods look the same.
    this.method = JSON.parse(JSON.stringify(method)) as EdgeMethod;
    this.render(this.known);
  }

  private steps(integrated: NonNullable<EdgeMethod['integrated']>): HTMLElement {
    const box = countBox({ value: integrated.steps, most: MOST_STEPS, attributes: { id: `${this.id}-steps`, 'data-key': 'edge steps' }, choose: (steps) => this.set({ ...this.method, integrated: { ...integrated, steps } }) });
    return el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Steps', attributes: { for: `${this.id}-steps` } }), box]);
  }

  private rules(integrated: NonNullable<EdgeMethod['integrated']>): HTMLElement {
    const list = el(
      'select',
      { attributes: { id: `${this.id}-rule`, 'data-key': 'edge rule' }, on: { change: () => this.set({ ...this.method, integrated: { ...integrated, rule: list.value as IntegrationRule } }) } },
      INTEGRATION_RULES.map((rule) => el('option', { text: RULE_WORDS[rule], attributes: { value: rule, selected: rule === integrated.rule } })),
    );
    return el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Rule', attributes: { for: `${this.id}-rule` } }), list]);
  }
}
