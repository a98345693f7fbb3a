import type { Node } from 'jsonc-parser';
import type { Direction } from '../shared/experiment';
import { fieldsOf, readTree, typeName, type FieldMap, type JsonTree } from './jsonNode';
import { readPair, type ParsedPair } from './parsePair';
import { readSettings } from './parseSettings';
import { readShorthand } from './parseShorthand';
import type { PromptFile } from './promptFile';
import { Reader } from './reader';
import type { ExperimentOverrides, Settings } from './rules';
import { untuple } from './tuples';

/**
 * Longest prompt file that is read, in UTF-16 units. A thousand pairs of the usual size take a fifth of it; anything longer is
 * a file of another kind, and reading it at every keystroke would make the editor wait.
 */
export const LONGEST_FILE = 1_000_000;

/** A text that is no JSON at all breaks at every word: the first places are enough. */
const MOST_SYNTAX_PROBLEMS = 20;

export interface PromptFileDefaults {
  /** Holds where a file says nothing. */
  direction: Direction;
  /** Wins over what the file says. */
  overrides?: ExperimentOverrides;
}

/**
 * Reads a prompt file: JSON with comments and trailing commas. Never throws; a broken pair does not hide the others.
 * Fields it does not know are the JSON schema's business.
 */
export function parsePromptFile(text: string, defaults: PromptFileDefaults = { direction: 'denoise' }): PromptFile {
  const file: PromptFile = { settings: { metric: 'logitDiff', direction: defaults.direction }, settingPlaces: {}, pairs: [], places: [], problems: [], text };
  if (text.length > LONGEST_FILE) {
    const megabytes = (text.length / 1e6).toFixed(1);
    const message = `This file is too large for a prompt file (${megabytes} million characters, at most ${LONGEST_FILE / 1e6} million) and was not read; split it into several files.`;
    file.problems.push({ code: 'too-large', severity: 'error', message, place: { offset: 0, length: 1, line: 1, column: 1 } });
    return file;
  }
  const reader = new Reader(text);
  const { root, isEmpty, errors } = readLists(reader, text);
  if (isEmpty) {
    reader.report({ offset: 0, length: 0 }, { code: 'missing-field', message: 'This prompt file is empty; write { "pairs": [ … ] }.' });
    return { ...file, problems: reader.problems };
  }
  for (const { message, offset, length } of errors.slice(0, MOST_SYNTAX_PROBLEMS)) {
    // An error at the end of the text has no length; it is shown on the last character.
    const place = length > 0 ? { offset, length } : { offset: Math.min(offset, text.length - 1), length: 1 };
    reader.report(place, { code: 'syntax', message, inSchema: true });
  }
  if (root?.type === 'object') {
    readObject(reader, root, file, defaults);
  } else if (root) {
    reader.wrongType(root, `A prompt file should be an object { "pairs": [ … ] }, not ${typeName(root)}.`);
  }
  // What seems to be missing may stand where the syntax is broken.
  file.problems = errors.length === 0 ? reader.problems : reader.problems.filter(({ code }) => code !== 'missing-field' && code !== 'empty-list');
  if (!reader.problems.some(({ severity }) => severity === 'error')) {
    file.experiment = { ...file.settings, pairs: file.pairs.flatMap((pair) => pair ?? []) };
  }
  return file;
}

/** Reads Python's tuples as the lists they should be, so that they are one mistake with one fix and hide no other. */
function readLists(reader: Reader, text: string): JsonTree {
  const tree = readTree(text);
  const lists = tree.errors.length > 0 ? untuple(text) : undefined;
  const untupled = lists && readTree(lists.text);
  if (!untupled || untupled.errors.length >= tree.errors.length) return tree;
  const [start, end] = lists.range;
  reader.report({ offset: start, length: end - start }, {
    code: 'syntax',
    message: 'Python tuples ( ) are not JSON: write [ ] for each ( ), such as [" Mary", " John"]. In VS Code the quick fix does it for all of them.',
    fix: { title: 'Write [ ] for ( )', place: reader.place({ offset: start, length: end - start }), text: lists.text.slice(start, end) },
  });
  return untupled;
}

function readObject(reader: Reader, root: Node, file: PromptFile, defaults: PromptFileDefaults): void {
  const fields = fieldsOf(root);
  const { settings, places, isMetricUnread } = readSettings(reader, fields, defaults);
  file.settings = settings;
  file.settingPlaces = places;
  // The mistake is told once, not again as an answer that is missing: of all metrics KL needs the least.
  const found = readPairs(reader, root, fields, isMetricUnread ? { ...settings, metric: 'kl' } : settings, places);
  file.pairs = found.map(({ pair }) => pair);
  file.places = found.map((parsed) => parsed.places);
}

function readPairs(reader: Reader, root: Node, fields: FieldMap, settings: Settings, settingPlaces: PromptFile['settingPlaces']): ParsedPair[] {
  const pairs = fields.get('pairs');
  const prompts = fields.get('prompts');
  if (!pairs && !prompts) {
    const message = '"pairs" is missing: a list of pairs { "clean": …, "corrupted": …, "correct": …, "incorrect": … }.';
    reader.report({ offset: root.offset, length: 1 }, { code: 'missing-field', message });
    return [];
  }
  if (!pairs) return prompts?.value ? readShorthand(reader, prompts.value, fields, settings) : [];
  if (prompts) {
    reader.report(prompts.key, { code: 'wrong-type', message: 'A prompt file has either "pairs" or "prompts" with "answers", not both; put them into two files.' });
  }
  const list = pairs.value;
  if (!list) return [];
  if (list.type !== 'array') {
    reader.wrongType(list, `"pairs" should be a list of pairs, not ${typeName(list)}.`);
    return [];
  }
  const nodes = list.children ?? [];
  if (nodes.length === 0) reader.report(list, { code: 'empty-list', message: '"pairs" is empty; write at least one pair { "clean": …, "corrupted": …, "correct": …, "incorrect": … }.' });
  const read = withoutUnknownNames(reader, nodes, settings, settingPlaces);
  return nodes.map((node, index) => readPair(reader, node, index, read));
}

/** A position that no pair names is one mistake, where the setting is written; the pairs are then read without the setting. */
function withoutUnknownNames(reader: Reader, nodes: readonly Node[], settings: Settings, places: PromptFile['settingPlaces']): Settings {
  const positions = nodes.flatMap((node) => (node.type === 'object' ? (fieldsOf(node).get('positions')?.value ?? []) : []));
  const known = new Set(positions.flatMap((node) => (node.type === 'object' ? [...fieldsOf(node).keys()] : [])));
  const read = { ...settings };
  for (const setting of ['at', 'source', 'range'] as const) {
    const unknown = [settings[setting]].flat().find((name) => typeof name === 'string' && !known.has(name));
    if (unknown === undefined || nodes.length === 0) continue;
    delete read[setting];
    const message = `No pair names the position ${JSON.stringify(unknown)}, which "${setting}" is; write it into the pairs' "positions".`;
    const place = places[setting];
    if (place) reader.reportAt(place, { code: 'position-not-found', message });
    else reader.report({ offset: 0, length: 1 }, { code: 'position-not-found', message, setting });
  }
  return read;
}
