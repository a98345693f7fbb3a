import type { Node } from 'jsonc-parser';
import type { Place } from '../shared/errors';
import { typeName } from './jsonNode';
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
    this.problems.push({ severity: 'error', ...problem, place: this.place(node) });
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
