import type { Node } from 'jsonc-parser';
import { INTEGRATION_RULES, MOST_INTEGRATION_STEPS, OTHERS, type Intervention, type Unit, type Variant } from '../shared/experiment';
import { SITE_NAMES } from '../shared/sites';
import { typeName } from './jsonNode';
import type { Reader } from './reader';
import { unitFault } from './unit';

const FLAGS = ['freezeLayerNorm', 'freezePattern', 'bothGradients', 'qkFix', 'gradDrop'] as const;

/** The file's `variant`. A name that is not known is an error: an estimate that silently departs from what was asked for misleads. */
export function readVariant(reader: Reader, node: Node): Variant | undefined {
  if (node.type !== 'object') return reader.wrongType(node, `"variant" should be an object such as { "freezeLayerNorm": true }, not ${typeName(node)}.`);
  const fields = reader.fields(node, '"variant"', [...FLAGS, 'integrated', 'stopGradient', 'interventions']);
  const variant: Variant = {};
  for (const name of FLAGS) {
    const value = fields.get(name)?.value;
    const flag = value && reader.flag(value, `"${name}"`);
    if (flag !== undefined) variant[name] = flag;
  }
  const integrated = fields.get('integrated')?.value;
  const steps = integrated && readIntegrated(reader, integrated);
  if (steps) variant.integrated = steps;
  const stopped = fields.get('stopGradient')?.value;
  if (stopped) variant.stopGradient = readList(reader, stopped, '"stopGradient"', (item) => readUnit(reader, item));
  const interventions = fields.get('interventions')?.value;
  if (interventions) variant.interventions = readList(reader, interventions, '"interventions"', (item) => readIntervention(reader, item));
  return variant;
}

function readIntegrated(reader: Reader, node: Node): Variant['integrated'] | undefined {
  if (node.type !== 'object') return reader.wrongType(node, `"integrated" should be an object such as { "steps": 5, "rule": "midpoint" }, not ${typeName(node)}.`);
  const fields = reader.fields(node, '"integrated"', ['steps', 'rule']);
  const [steps, rule] = [fields.get('steps')?.value, fields.get('rule')?.value];
  if (!steps || !rule) return reader.wrongType(node, '"integrated" should say both "steps", a whole number, and "rule": "left", "right" or "midpoint".');
  const count = reader.whole(steps, '"steps"', 1, MOST_INTEGRATION_STEPS);
  const chosen = reader.choice(rule, '"rule"', INTEGRATION_RULES);
  return count === undefined || chosen === undefined ? undefined : { steps: count, rule: chosen };
}

function readIntervention(reader: Reader, node: Node): Intervention | undefined {
  if (node.type !== 'object') return reader.wrongType(node, `An intervention should be an object { "unit": …, "with": … }, not ${typeName(node)}.`);
  const fields = reader.fields(node, 'An intervention', ['unit', 'with']);
  const [unit, other] = [fields.get('unit')?.value, fields.get('with')?.value];
  if (!unit || !other) return reader.wrongType(node, 'An intervention should say both "unit" and "with".');
  const part = readUnit(reader, unit);
  const replacement = reader.choice(other, '"with"', OTHERS);
  return part && replacement && { unit: part, with: replacement };
}

function readUnit(reader: Reader, node: Node): Unit | undefined {
  if (node.type !== 'object') return reader.wrongType(node, `A part of a site should be an object such as { "site": "z", "layer": 9, "head": 6 }, not ${typeName(node)}.`);
  const fields = reader.fields(node, 'A part of a site', ['site', 'layer', 'head', 'neuron', 'position', 'source']);
  const named = fields.get('site')?.value;
  if (!named) return reader.wrongType(node, 'A part of a site should say which "site".');
  const site = reader.choice(named, '"site"', SITE_NAMES);
  if (!site) return undefined;
  const unit: Unit = { site };
  for (const name of ['layer', 'head', 'neuron'] as const) {
    const value = fields.get(name)?.value;
    const index = value && reader.whole(value, `"${name}"`);
    if (index !== undefined) unit[name] = index;
    else if (value) return undefined;
  }
  const position = fields.get('position')?.value;
  if (position?.value === 'last') unit.position = 'last';
  else if (position?.type === 'number' && Number.isInteger(position.value)) unit.position = position.value as number;
  else if (position) return reader.wrongType(position, 'The "position" of a part of a site should be a token index (-1 is the last) or "last", the metric\'s position.');
  const source = fields.get('source')?.value;
  if (source?.type === 'number' && Number.isInteger(source.value)) unit.source = source.value as number;
  else if (source) return reader.wrongType(source, 'The "source" of a part of a site should be a token index.');
  const fault = unitFault(unit);
  if (fault === undefined) return unit;
  reader.report(node, { code: 'combination', message: fault });
  return undefined;
}

function readList<T>(reader: Reader, node: Node, what: string, read: (item: Node) => T | undefined): T[] {
  if (node.type !== 'array') {
    reader.wrongType(node, `${what} should be a list, not ${typeName(node)}.`);
    return [];
  }
  return (node.children ?? []).flatMap((item) => read(item) ?? []);
}
