import { DIRECTIONS, INTEGRATION_RULES, LOGIT_METRICS, MOST_INTEGRATION_STEPS, OTHERS, type ActivationMetric, type Direction, type IntegrationRule, type Metric, type Other, type Unit, type Variant } from '../../src/shared/experiment';
import { metricCaveat, metricRead, metricTitle, metricUnit } from '../../src/shared/metrics';
import { OTHER_WORDS } from '../../src/shared/otherSide';
import type { ExperimentChange, PanelAction, PanelHost, RunSummary } from '../../src/shared/panelProtocol';
import { capitalised } from '../../src/shared/text';
import { standInFault } from '../model/standIns';
import { countBox } from './countBox';
import { button, dropDown, el, segmented } from './dom';
import { interventionsField } from './interventionsField';
import { Slot } from './slot';

/** What the form holds: the whole of what it can change. */
interface Draft {
  metric: Metric;
  direction: Direction;
  other: Other;
  variant: Variant;
  neurons: boolean;
  prependBos: boolean;
}

const STEPS = 16;

const SWITCHES: { key: 'freezeLayerNorm' | 'freezePattern' | 'bothGradients' | 'qkFix' | 'gradDrop'; label: string; explained: string }[] = [
  { key: 'freezeLayerNorm', label: 'LayerNorm scale frozen', explained: 'Every LayerNorm’s scale is held constant in the backward pass.' },
  { key: 'freezePattern', label: 'Attention patterns frozen', explained: 'No gradient flows through the patterns into queries and keys.' },
  { key: 'bothGradients', label: 'Clean and corrupted gradients averaged', explained: 'The gradient is the mean of those at both runs.' },
  { key: 'qkFix', label: 'AtP* QK fix', explained: 'Queries and keys are attributed by recomputing the softmax; other sites do not change.' },
  { key: 'gradDrop', label: 'AtP* GradDrop', explained: 'The mean of |effect| with one layer’s gradient stopped at a time: finds what cancels. A magnitude without sign.' },
];

/** The same prompts once more with another metric, direction, other side or variant. Closed unless asked for. */
export class ChangeForm {
  readonly element = el('section', { class: 'change', attributes: { id: 'change', 'aria-label': 'Change the experiment and run again', hidden: true } });
  readonly toggle = button('Change…', () => this.setOpen(this.element.hidden), { title: 'Another metric, direction, other side or variant' });
  private readonly slot = new Slot(this.element);
  private draft: Draft;
  private failure = '';
  private selected?: Unit;

  constructor(
    private readonly host: PanelHost,
    private readonly run: RunSummary,
    private readonly act: (action: PanelAction) => void,
  ) {
    this.draft = this.fromRun();
    this.toggle.setAttribute('aria-expanded', 'false');
    this.toggle.setAttribute('aria-controls', 'change');
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.setOpen(false);
      this.toggle.focus();
    });
  }

  /** What is selected in the views can be intervened in. */
  select(unit: Unit | undefined): void {
    this.selected = unit;
    if (!this.element.hidden) this.render();
  }

  private fromRun(): Draft {
    const { metric, direction, other, variant, sites, prependBos } = this.run;
    return { metric, direction, other, variant, prependBos, neurons: sites.includes('mlp_post') };
  }

  private setOpen(open: boolean): void {
    this.element.hidden = !open;
    this.toggle.setAttribute('aria-expanded', String(open));
    if (open) {
      this.draft = this.fromRun();
      this.failure = '';
      this.render();
    }
  }

  private set(part: Partial<Draft>): void {
    this.draft = { ...this.draft, ...part };
    this.render();
  }

  private setVariant(part: Partial<Variant>): void {
    this.set({ variant: { ...this.draft.variant, ...part } });
  }

  private render(): void {
    const { draft } = this;
    this.slot.render(JSON.stringify([draft, this.failure, this.selected]), () => [
      el('div', { class: 'toolbar' }, [this.metricList(), this.directionChoice(), this.otherList()]),
      this.caveats(),
      el('fieldset', { class: 'switches' }, [
        el('legend', { class: 'field-name', text: 'Variant (plain gradient unless switched on)' }),
        ...SWITCHES.map(({ key, label, explained }) => this.checkBox(label, explained, draft.variant[key] === true, (on) => this.setVariant({ [key]: on || undefined }))),
        this.integration(),
      ]),
      el('fieldset', { class: 'switches' }, [
        el('legend', { class: 'field-name', text: 'Sites and prompts' }),
        ...(this.run.sites.length === 0 ? [] : [this.checkBox('MLP neurons too', 'Also attributes every neuron after the activation function; they have a view of their own.', draft.neurons, (neurons) => this.set({ neurons }))]),
        this.checkBox('BOS prepended', 'Every prompt begins with the model’s token for the beginning of a text.', draft.prependBos, (prependBos) => this.set({ prependBos })),
      ]),
      interventionsField(draft.variant, { ...draft, groups: this.run.groups }, this.selected, (joint) => this.setVariant(joint)),
      el('div', { class: 'actions' }, [
        button('Run again', () => this.submit(), { secondary: false }),
        this.run.source && button('Back to the file’s settings', () => this.act('fileSettings'), { title: 'Runs these prompts as their file says, whatever was chosen here' }),
        button('Cancel', () => this.setOpen(false), { key: 'cancel change' }),
        el('span', { class: 'failure', text: this.failure, attributes: { role: 'status' } }),
      ]),
    ]);
  }

  private metricList(): HTMLElement {
    const activations = this.activationMetrics();
    const metrics: Metric[] = [...LOGIT_METRICS, ...activations];
    const choices = metrics.map((metric) => ({ value: JSON.stringify(metric), label: metricTitle(metric), group: typeof metric === 'string' ? 'Of the output' : 'Of an activation' }));
    return dropDown<string>('Metric', choices, JSON.stringify(this.draft.metric), (chosen) => this.set({ metric: metrics.find((metric) => JSON.stringify(metric) === chosen)! }));
  }

  /** The run's own or the draft's, and those of the head that is selected. */
  private activationMetrics(): ActivationMetric[] {
    const { layer, head } = this.selected ?? {};
    const all: (Metric | undefined)[] = [
      this.run.metric,
      this.draft.metric,
      layer !== undefined && head !== undefined ? { activation: 'directLogit', layer, head } : undefined,
      layer !== undefined && head !== undefined && this.run.pairs.every(({ source }) => source !== undefined) ? { activation: 'attention', layer, head } : undefined,
    ];
    const unique = new Map(all.flatMap((metric) => (typeof metric === 'object' ? [[JSON.stringify(metric), metric] as const] : [])));
    return [...unique.values()];
  }

  private directionChoice(): HTMLElement {
    const { direction, other } = this.draft;
    const fixed = other !== 'corrupted';
    const titles: Record<Direction, string> = { denoise: 'Clean patched into corrupted', noise: 'Corrupted patched into clean' };
    const choices = DIRECTIONS.map((value) => ({ value, label: value, disabled: fixed && value === 'denoise', title: fixed && value === 'denoise' ? 'Ablations start from the clean run' : titles[value] }));
    return segmented('Direction', choices, direction, (value) => this.set({ direction: value }));
  }

  private otherList(): HTMLElement {
    const choices = OTHERS.map((value) => {
      const fault = standInFault(this.run, value);
      const { name } = OTHER_WORDS[value];
      return { value, label: fault === undefined ? name : `${name} (${fault})`, disabled: fault !== undefined };
    });
    // Ablations have the clean run as their base.
    return dropDown('Other side', choices, this.draft.other, (other) => this.set({ other, ...(other !== 'corrupted' && { direction: 'noise' }) }));
  }

  private caveats(): HTMLElement {
    const { metric, other } = this.draft;
    const [title, unit] = [metricTitle(metric), metricUnit(metric)];
    const lines = [`${capitalised(title)}: ${metricRead(metric)}${unit === title ? '' : `, in ${unit}`}.`, metricCaveat(metric) ?? '', other === 'corrupted' ? '' : `Patched in: ${OTHER_WORDS[other].explained}.`];
    return el('p', { class: 'caption', text: lines.filter((line) => line !== '').join(' ') });
  }

  private integration(): HTMLElement {
    const { integrated } = this.draft.variant;
    const box = this.checkBox('Integrated gradients', 'The gradient is the mean along the way from the base to the other inputs.', integrated !== undefined, (on) => this.setVariant({ integrated: on ? { steps: STEPS, rule: 'midpoint' } : undefined }));
    if (!integrated) return box;
    const steps = countBox({ value: integrated.steps, most: MOST_INTEGRATION_STEPS, attributes: { 'aria-label': 'Steps of integrated gradients', 'data-key': 'steps' }, choose: (count) => this.setVariant({ integrated: { ...integrated, steps: count } }) });
    const rule = el(
      'select',
      { attributes: { 'aria-label': 'Rule of integrated gradients', 'data-key': 'rule' }, on: { change: () => this.setVariant({ integrated: { ...integrated, rule: rule.value as IntegrationRule } }) } },
      INTEGRATION_RULES.map((value) => el('option', { text: value, attributes: { value, selected: value === integrated.rule } })),
    );
    return el('span', { class: 'integration' }, [box, steps, ' steps ', rule]);
  }

  private checkBox(label: string, explained: string, checked: boolean, choose: (on: boolean) => void): HTMLElement {
    const input = el('input', { attributes: { type: 'checkbox', checked, 'data-key': label }, on: { change: () => choose(input.checked) } });
    return el('label', { class: 'check', attributes: { title: explained } }, [input, el('span', { text: label })]);
  }

  private submit(): void {
    const { metric, direction, other, variant, neurons, prependBos } = this.draft;
    const { run } = this;
    const had = run.sites.includes('mlp_post');
    const change: ExperimentChange = {
      ...{ metric, direction, other, variant },
      ...(prependBos !== run.prependBos && { prependBos }),
      ...(neurons !== had && { sites: neurons ? [...run.sites, 'mlp_post'] : run.sites.filter((site) => site !== 'mlp_post') }),
    };
    this.host.rerunWith({ runId: run.id, change }).catch((error: unknown) => {
      this.failure = error instanceof Error ? error.message : String(error);
      this.render();
    });
  }
}
