import type { Node } from 'jsonc-parser';
import type { Place as TextPlace } from '../shared/errors';
import { DIRECTIONS, LOGIT_METRICS, OTHERS, type ActivationMetric, type Direction, type Metric, type Place } from '../shared/experiment';
import { typeName, type FieldMap } from './jsonNode';
import { readVariant } from './parseVariant';
import type { Reader } from './reader';
import { changeExperiment, isAblation, settingFaults, type ExperimentOverrides, type Settings } from './rules';

export interface ParsedSettings {
  settings: Settings;
  /** The values of those fields that count: not of those that something else overrides. */
  places: Partial<Record<keyof Settings, TextPlace>>;
  /** A metric is written that could not be read: what it needs of the pairs is not known. */
  isMetricUnread: boolean;
}

/** What a file says beside its pairs. `direction` holds where it says nothing; `overrides` win over it. */
export function readSettings(reader: Reader, fields: FieldMap, defaults: { direction: Direction; overrides?: ExperimentOverrides }): ParsedSettings {
  const { overrides = {} } = defaults;
  const places: ParsedSettings['places'] = {};
  const faulty = new Set<keyof Settings>();
  /** Reads one field and notes its place, and whether something is wrong with it. */
  const field = <T>(name: keyof Settings, read: (node: Node) => T | undefined): T | undefined => {
    const node = fields.get(name)?.value;
    if (!node) return undefined;
    places[name] = reader.place(node);
    const errors = reader.problems.length;
    const value = read(node);
    if (reader.problems.length > errors) faulty.add(name);
    return value;
  };
  const model = field('model', (node) => reader.text(node, '"model"'));
  const prependBos = field('prependBos', (node) => reader.flag(node, '"prependBos"'));
  const metric = field('metric', (node) => readMetric(reader, node));
  const at = field('at', (node) => readPlace(reader, node, '"at"'));
  const source = field('source', (node) => readPlace(reader, node, '"source"'));
  const range = field('range', (node) => readRange(reader, node));
  const direction = field('direction', (node) => reader.choice(node, '"direction"', DIRECTIONS));
  const other = field('other', (node) => reader.choice(node, '"other"', OTHERS));
  const variant = field('variant', (node) => readVariant(reader, node));
  const align = field('align', (node) => reader.choice(node, '"align"', ['end'] as const));

  const written: Settings = {
    ...(model !== undefined && { model }),
    ...(prependBos !== undefined && { prependBos }),
    metric: metric ?? 'logitDiff',
    ...(at !== undefined && { at }),
    ...(source !== undefined && { source }),
    ...(range && { range }),
    direction: direction ?? (isAblation(overrides.other ?? other) ? 'noise' : defaults.direction),
    ...(other && { other }),
    ...(variant && { variant }),
    ...(align && { align }),
  };
  const settings = changeExperiment(written, overrides);
  for (const name of Object.keys(places) as (keyof Settings)[]) {
    if (settings[name] !== written[name]) delete places[name];
  }
  for (const { field: name, from, message } of settingFaults(settings)) {
    // What is wrong by itself may be what does not fit.
    if (from.some((part) => faulty.has(part) && settings[part] === written[part])) continue;
    reader.reportAt(places[name] ?? reader.place({ offset: 0, length: 1 }), { code: 'combination', message });
  }
  return { settings, places, isMetricUnread: places.metric !== undefined && metric === undefined };
}

function readMetric(reader: Reader, node: Node): Metric | undefined {
  if (node.type !== 'object') {
    const known = LOGIT_METRICS.find((name) => name === node.value);
    if (known) return known;
    // The schema only warns of it, but nothing can be run.
    const names = LOGIT_METRICS.map((name) => JSON.stringify(name)).join(', ');
    reader.report(node, { code: 'wrong-type', message: `"metric" should be one of ${names}, or an object such as { "activation": "attention", "layer": 9, "head": 6 }.` });
    return undefined;
  }
  const fields = reader.fields(node, 'The metric', ['activation', 'layer', 'head', 'neuron']);
  const kind = fields.get('activation')?.value;
  if (!kind) return reader.wrongType(node, 'The metric should say "activation": "attention", "neuron" or "directLogit".');
  const activation = reader.choice(kind, '"activation"', ['attention', 'neuron', 'directLogit'] as const);
  const index = (name: 'layer' | 'head' | 'neuron', needed: boolean): number | undefined => {
    const value = fields.get(name)?.value;
    if (value) return reader.whole(value, `"${name}"`);
    return needed ? reader.wrongType(node, `The metric should say which "${name}", counted from 0.`) : undefined;
  };
  const unread = (name: string): void => {
    const value = fields.get(name)?.key;
    if (value) reader.wrongType(value, `The metric "${activation}" has no "${name}".`);
  };
  const layer = index('layer', true);
  switch (activation) {
    case 'attention': {
      const head = index('head', true);
      unread('neuron');
      return layer === undefined || head === undefined ? undefined : { activation, layer, head };
    }
    case 'neuron': {
      const neuron = index('neuron', true);
      unread('head');
      return layer === undefined || neuron === undefined ? undefined : { activation, layer, neuron };
    }
    case 'directLogit': {
      const head = index('head', false);
      unread('neuron');
      return layer === undefined ? undefined : ({ activation, layer, ...(head !== undefined && { head }) } satisfies ActivationMetric);
    }
    default:
      return undefined;
  }
}

function readPlace(reader: Reader, node: Node, what: string): Place | undefined {
  if (node.type === 'number' && Number.isInteger(node.value)) return node.value as number;
  if (node.type === 'string' && node.value !== '') return node.value as string;
  return reader.wrongType(node, `${what} should be the name of one of the pairs' "positions" or a token index (-1 is the last), not ${node.type === 'string' ? 'an empty text' : typeName(node)}.`);
}

function readRange(reader: Reader, node: Node): [Place, Place] | undefined {
  const [first, last] = node.children ?? [];
  if (node.type !== 'array' || !first || !last || node.children!.length !== 2) {
    return reader.wrongType(node, '"range" should be a list of two positions, the first and the last whose predictions count, such as ["S2", -2].');
  }
  const [from, to] = [readPlace(reader, first, 'The first position of "range"'), readPlace(reader, last, 'The last position of "range"')];
  return from === undefined || to === undefined ? undefined : [from, to];
}
