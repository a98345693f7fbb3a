import type { Node } from 'jsonc-parser';
import type { Place } from '../shared/errors';
import { fieldsOf, typeName, type FieldMap } from './jsonNode';
import { Places } from './place';
import type { Problem } from './problem';

/** Reads typed values out of one file's JSON nodes and collects what is wrong with them. */
export class Reader {
  readonly problems: Problem[] = [];
  private readonly places: Places;
  private readonly broken = new Set<number>();

  constructor(text: string) {
    this.places = new Places(text);
  }

  place(node: Pick<Node, 'offset' | 'length'>): Place {
    return this.places.at(node.offset, node.length);
  }

  lines(node: Pick<Node, 'offset' | 'length'>): Place {
    return this.places.lines(node);
  }

  report(node: Pick<Node, 'offset' | 'length'>, problem: Omit<Problem, 'place' | 'severity'> & { severity?: Problem['severity'] }): void {
    this.reportAt(this.place(node), problem);
  }

  reportAt(place: Place, problem: Omit<Problem, 'place' | 'severity'> & { severity?: Problem['severity'] }): void {
    this.problems.push({ severity: 'error', ...problem, place });
    if (problem.severity === undefined || problem.severity === 'error') problem.pairs?.forEach((pair) => this.broken.add(pair));
  }

  /** True when an error was reported for this pair. */
  isBroken(pair: number): boolean {
    return this.broken.has(pair);
  }

  wrongType(node: Node, message: string, pairs?: number[]): undefined {
    this.report(node, { code: 'wrong-type', message, pairs, inSchema: true });
    return undefined;
  }

  /** A text with something in it. `what` names it in messages: `"clean"`, `a prompt`. */
  text(node: Node, what: string, pairs?: number[]): string | undefined {
    if (node.type !== 'string') return this.wrongType(node, `${what} should be a text in double quotes, not ${typeName(node)}.`, pairs);
    if (node.value === '') {
      this.report(node, { code: 'wrong-type', message: `${what} is an empty text.`, pairs });
      return undefined;
    }
    return node.value as string;
  }

  flag(node: Node, what: string, pairs?: number[]): boolean | undefined {
    if (node.type === 'boolean') return node.value as boolean;
    return this.wrongType(node, `${what} should be true or false, not ${typeName(node)}.`, pairs);
  }

  /** A whole number from `least` to `most`. */
  whole(node: Node, what: string, least = 0, most = Infinity): number | undefined {
    const value: unknown = node.type === 'number' ? node.value : undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    return this.wrongType(node, `${what} should be a whole number, ${most === Infinity ? `${least} or more` : `from ${least} to ${most}`}.`);
  }

  /** One of some texts. `otherwise` says what else it might be. */
  choice<T extends string>(node: Node, what: string, choices: readonly T[], otherwise?: string): T | undefined {
    const choice = choices.find((known) => known === node.value);
    if (choice !== undefined) return choice;
    const listed = choices.map((known) => JSON.stringify(known)).join(choices.length > 2 ? ', ' : ' or ');
    return this.wrongType(node, `${what} should be ${choices.length > 2 ? 'one of ' : ''}${listed}${otherwise === undefined ? '' : `, or ${otherwise}`}.`);
  }

  /** The fields of an object in which others than those known are errors. */
  fields(node: Node, what: string, known: readonly string[]): FieldMap {
    const fields = fieldsOf(node);
    for (const [name, { key }] of fields) {
      if (known.includes(name)) continue;
      this.report(key, { code: 'unknown-field', message: `${what} has no field ${JSON.stringify(name)}; it has ${known.join(', ')}.`, inSchema: true });
    }
    return fields;
  }

  /** A basket of answers: one text or a list of texts. */
  answers(node: Node, what: string, pairs?: number[]): { texts: string[]; places: Place[] } {
    const nodes = node.type === 'array' ? (node.children ?? []) : [node];
    const found: { texts: string[]; places: Place[] } = { texts: [], places: [] };
    if (node.type !== 'array' && node.type !== 'string') {
      this.wrongType(node, `${what} should be a text or a list of texts, not ${typeName(node)}.`, pairs);
      return found;
    }
    if (nodes.length === 0) {
      this.report(node, { code: 'empty-list', message: `${what} is an empty list; write at least one answer, with its leading space.`, pairs });
    }
    for (const item of nodes) {
      const text = this.text(item, node.type === 'array' ? `An answer in ${what}` : what, pairs);
      if (text === undefined) continue;
      if (found.texts.includes(text)) {
        const message = `${JSON.stringify(text)} is listed twice and counts twice in the mean.`;
        this.report(item, { code: 'same-answer', severity: 'warning', message, pairs });
      }
      found.texts.push(text);
      found.places.push(this.place(item));
    }
    return found;
  }
}
