import { CircuitError } from '../shared/errors';
import { INTEGRATION_RULES, LOGIT_METRICS, MOST_INTEGRATION_STEPS, type Intervention, type Metric, type Place, type Unit, type Variant } from '../shared/experiment';
import { SITE_NAMES, type SiteName } from '../shared/sites';
import { parseUnit } from '../prompts/unit';

/** Values of flags in one word each. All throw `usage` with what would be right. */

export function usage(message: string): CircuitError {
  return new CircuitError('usage', message);
}

export function choice<T extends string>(flag: string, value: string | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined || choices.includes(value as T)) return value as T | undefined;
  throw usage(`${flag} is one of ${choices.join(', ')}, not "${value}".`);
}

export function whole(flag: string, value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number) || number < least) throw usage(`${flag} is a whole number, ${least} or more, not "${value}".`);
  return number;
}

export function number(flag: string, value: string | undefined, least: number, most = Infinity): number | undefined {
  if (value === undefined) return undefined;
  const read = Number(value);
  const range = most === Infinity ? `${least} or more` : `from ${least} to ${most}`;
  if (value.trim() === '' || !Number.isFinite(read) || read < least || read > most) throw usage(`${flag} is a number, ${range}, not "${value}".`);
  return read;
}

/** `z,q,mlp_out`; a site named twice counts once. Undefined where the flag is not given. */
export function siteList(values: readonly string[]): SiteName[] | undefined {
  if (values.length === 0) return undefined;
  const names = values.flatMap((value) => value.split(','));
  return [...new Set(names.map((name) => choice('--site', name, SITE_NAMES)!))];
}

/** A name, or an activation in one word: `attention:9.6`, `neuron:3#412`, `directLogit:9.6`, `directLogit:5`. */
export function metricOf(value: string | undefined): Metric | undefined {
  if (value === undefined || (LOGIT_METRICS as readonly string[]).includes(value)) return value as Metric | undefined;
  const [, activation, layer, head, neuron] = /^(attention|neuron|directLogit):(\d+)(?:\.(\d+))?(?:#(\d+))?$/.exec(value) ?? [];
  const place = { layer: Number(layer) };
  if (activation === 'attention' && head !== undefined && neuron === undefined) return { activation, ...place, head: Number(head) };
  if (activation === 'neuron' && head === undefined && neuron !== undefined) return { activation, ...place, neuron: Number(neuron) };
  if (activation === 'directLogit' && neuron === undefined) return { activation, ...place, ...(head !== undefined && { head: Number(head) }) };
  throw usage(`--metric is one of ${LOGIT_METRICS.join(', ')}, attention:LAYER.HEAD, neuron:LAYER#NEURON, directLogit:LAYER[.HEAD], not "${value}".`);
}

/** A token index, or the name of one of the pairs' positions. */
export function placeOf(value: string | undefined): Place | undefined {
  if (value === undefined) return undefined;
  if (value === '') throw usage('A position is a token index or the name of one of the pairs\' positions, not empty.');
  return /^-?\d+$/.test(value) ? Number(value) : value;
}

export function rangeOf(value: string | undefined): [Place, Place] | undefined {
  if (value === undefined) return undefined;
  const [first, last, ...more] = value.split(',');
  if (!first || !last || more.length > 0) throw usage(`--range is two positions, FIRST,LAST, not "${value}".`);
  return [placeOf(first)!, placeOf(last)!];
}

export function headOf(flag: string, value: string): { layer: number; head: number } {
  const [, layer, head] = /^(\d+)\.(\d+)$/.exec(value) ?? [];
  if (layer === undefined) throw usage(`${flag} is LAYER.HEAD, such as 9.6, not "${value}".`);
  return { layer: Number(layer), head: Number(head) };
}

export function unitOf(flag: string, value: string): Unit {
  try {
    return parseUnit(value);
  } catch (error) {
    throw usage(`${flag}: ${(error as RangeError).message}`);
  }
}

const REPLACEMENTS = { other: 'corrupted', corrupted: 'corrupted', zero: 'zero', mean: 'mean', resample: 'resample' } as const;

/** `UNIT=other|zero|mean|resample`. */
export function interventionOf(value: string): Intervention {
  const split = value.lastIndexOf('=');
  const name = value.slice(split + 1);
  if (split === -1 || !Object.hasOwn(REPLACEMENTS, name)) throw usage(`--intervene is UNIT=other, UNIT=zero, UNIT=mean or UNIT=resample, such as z:9.6=mean, not "${value}".`);
  return { unit: unitOf('--intervene', value.slice(0, split)), with: REPLACEMENTS[name as keyof typeof REPLACEMENTS] };
}

/** What the flags say of the variant; without `fresh` it is added to what the file says. */
export interface VariantFlags {
  fresh: boolean;
  fields: Variant;
}

const SWITCHES: Readonly<Record<string, Variant>> = {
  'freeze-layernorm': { freezeLayerNorm: true },
  'freeze-pattern': { freezePattern: true },
  'both-gradients': { bothGradients: true },
  'qk-fix': { qkFix: true },
  'grad-drop': { gradDrop: true },
};

/** Undefined where none of the flags is given. */
export function variantOf({ variant, stop, intervene }: { variant: readonly string[]; stop: readonly string[]; intervene: readonly string[] }): VariantFlags | undefined {
  if (variant.length + stop.length + intervene.length === 0) return undefined;
  const names = variant.flatMap((value) => value.split(','));
  const fields: Variant = Object.assign({}, ...names.map(switchOf)) as Variant;
  if (stop.length > 0) fields.stopGradient = stop.map((value) => unitOf('--stop', value));
  if (intervene.length > 0) fields.interventions = intervene.map(interventionOf);
  return { fresh: names.includes('none'), fields };
}

function switchOf(name: string): Variant {
  if (name === 'none') return {};
  const found = Object.hasOwn(SWITCHES, name) ? SWITCHES[name] : undefined;
  if (found) return found;
  const [, steps, rule = 'midpoint'] = /^ig=(\d+)(?::(.*))?$/.exec(name) ?? [];
  const known = INTEGRATION_RULES.find((candidate) => candidate === rule);
  if (steps === undefined || !known) throw usage(`--variant is one of ${Object.keys(SWITCHES).join(', ')}, ig=STEPS[:left|right|midpoint], none, not "${name}".`);
  return { integrated: { steps: stepsOf('--variant ig', steps), rule: known } };
}

/** Steps of integrated gradients. */
export function stepsOf(flag: string, digits: string): number {
  const steps = Number(digits);
  if (steps < 1 || steps > MOST_INTEGRATION_STEPS) throw usage(`${flag} takes 1 to ${MOST_INTEGRATION_STEPS} steps, not ${digits}.`);
  return steps;
}
