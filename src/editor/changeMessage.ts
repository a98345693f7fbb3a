import { CircuitError } from '../shared/errors';
import { DIRECTIONS, INTEGRATION_RULES, LOGIT_METRICS, MOST_INTEGRATION_STEPS, OTHERS, type ActivationMetric, type Intervention, type Metric, type Unit, type Variant } from '../shared/experiment';
import type { ExperimentChange } from '../shared/panelProtocol';
import type { ModelInfo } from '../shared/results';
import { hasHeads, SITE_NAMES, SITES } from '../shared/sites';
import { indexBelow, objectOf, refuse, wholeFrom } from './panelMessages';

const MOST_UNITS = 10_000;

/** What the panel wants changed in an experiment: checked, since it comes from the webview. `model`: of the run on show. */
export function readChange(params: unknown, model: ModelInfo): ExperimentChange {
  const { metric, direction, other, variant, prependBos, sites } = objectOf(objectOf(params)['change']);
  return {
    ...(metric !== undefined && { metric: readMetric(metric, model) }),
    ...(direction !== undefined && { direction: oneOf(DIRECTIONS, direction, 'direction') }),
    ...(other !== undefined && { other: oneOf(OTHERS, other, 'other') }),
    ...(variant !== undefined && { variant: readVariant(variant, model) }),
    ...(prependBos !== undefined && { prependBos: flag(prependBos, 'prependBos') }),
    ...(sites !== undefined && { sites: list(sites, SITE_NAMES.length, 'sites').map((site) => oneOf(SITE_NAMES, site, 'site')) }),
  };
}

function readMetric(value: unknown, model: ModelInfo): Metric {
  if (typeof value === 'string') return oneOf(LOGIT_METRICS, value, 'metric');
  const { activation, layer, head, neuron } = objectOf(value);
  const at = indexBelow(model.layers, layer, 'layer');
  const readHead = (): number => indexBelow(model.heads, head, 'head');
  switch (activation as ActivationMetric['activation']) {
    case 'attention':
      return { activation: 'attention', layer: at, head: readHead() };
    case 'neuron':
      return { activation: 'neuron', layer: at, neuron: indexBelow(model.dMlp, neuron, 'neuron') };
    case 'directLogit':
      return { activation: 'directLogit', layer: at, ...(head !== undefined && { head: readHead() }) };
    default:
      return refuse('metric', activation);
  }
}

const FLAGS = ['freezeLayerNorm', 'freezePattern', 'bothGradients', 'qkFix', 'gradDrop'] as const;

function readVariant(value: unknown, model: ModelInfo): Variant {
  const fields = objectOf(value);
  const variant: Variant = {};
  for (const name of FLAGS) {
    // What is off is as if it were not there.
    if (fields[name] !== undefined && flag(fields[name], name)) variant[name] = true;
  }
  const { integrated, stopGradient, interventions } = fields;
  if (integrated !== undefined) {
    variant.integrated = readIntegrated(integrated);
  }
  const stopped = list(stopGradient ?? [], MOST_UNITS, 'stopGradient').map((unit) => readUnit(unit, model));
  const done = list(interventions ?? [], MOST_UNITS, 'interventions').map((intervention) => readIntervention(intervention, model));
  return { ...variant, ...(stopped.length > 0 && { stopGradient: stopped }), ...(done.length > 0 && { interventions: done }) };
}

/** Throws `experiment` for more steps than are taken. */
export function readIntegrated(value: unknown): NonNullable<Variant['integrated']> {
  const { steps, rule } = objectOf(value);
  const count = wholeFrom(1, steps, 'steps');
  if (count > MOST_INTEGRATION_STEPS) throw new CircuitError('experiment', `Gradients are integrated in 1 to ${MOST_INTEGRATION_STEPS} steps, not ${count}.`);
  return { steps: count, rule: oneOf(INTEGRATION_RULES, rule, 'rule') };
}

function readIntervention(value: unknown, model: ModelInfo): Intervention {
  const fields = objectOf(value);
  return { unit: readUnit(fields['unit'], model), with: oneOf(OTHERS, fields['with'], 'with') };
}

function readUnit(value: unknown, model: ModelInfo): Unit {
  const { site, layer, head, neuron, position, source } = objectOf(value);
  const name = oneOf(SITE_NAMES, site, 'site');
  const { axes } = SITES[name];
  const place = (index: unknown, field: string): number =>
    typeof index === 'number' && Number.isSafeInteger(index) && Math.abs(index) <= model.context ? index : refuse(field, index);
  return {
    site: name,
    ...(axes.includes('layer') && { layer: indexBelow(model.layers, layer, 'layer') }),
    ...(head !== undefined && hasHeads(name) && { head: indexBelow(model.heads, head, 'head') }),
    ...(neuron !== undefined && axes.includes('neuron') && { neuron: indexBelow(model.dMlp, neuron, 'neuron') }),
    ...(position !== undefined && { position: position === 'last' ? position : place(position, 'position') }),
    ...(source !== undefined && (name === 'pattern' || name === 'scores') && { source: place(source, 'source') }),
  };
}

export function oneOf<T>(choices: readonly T[], value: unknown, name: string): T {
  return choices.find((choice) => choice === value) ?? refuse(name, value);
}

export function flag(value: unknown, name: string): boolean {
  return typeof value === 'boolean' ? value : refuse(name, value);
}

export function list(value: unknown, most: number, name: string): unknown[] {
  return Array.isArray(value) && value.length <= most ? value : refuse(name, value);
}
