import type { GraphShape } from '../../src/shared/graph/nodes';
import type { GraphNotes } from '../../src/shared/paths';
import { formatScore } from '../model/format';
import { countBox } from '../view/countBox';
import { button, dropDown, el } from '../view/dom';
import { Slot } from '../view/slot';
import { edgesOnPath, type DrawnGraph } from './drawnGraph';
import { nodeChoices } from './nodeChoices';
import { MOST_PATHS, type PathsChoice } from './ownState';
import { titleWithName } from './pathText';

const DEFAULT_PATHS = 5;

export interface StrongPathsEvents {
  /** Shows the strongest paths between two nodes; undefined: the graph again. */
  between(between: PathsChoice['between']): void;
  /** Highlights one of the paths; undefined: none. */
  highlight(path: number | undefined): void;
}

/** The strongest paths between two nodes: chosen here, drawn in the graph, listed here. */
export class StrongPathsPanel {
  private readonly slot = new Slot(el('section', { class: 'strong-paths', attributes: { 'aria-label': 'Strongest paths' } }));
  readonly element = this.slot.element;
  private from = 'input';
  private to = 'logits';
  private count = DEFAULT_PATHS;

  constructor(
    between: PathsChoice['between'],
    private readonly events: StrongPathsEvents,
  ) {
    if (between) ({ from: this.from, to: this.to, paths: this.count } = between);
  }

  /** `graph`: what is drawn; `whole`: what it is called without paths. */
  render(shape: GraphShape, notes: GraphNotes, shown: PathsChoice['between'], graph: DrawnGraph, highlighted: number | undefined, whole: string): void {
    const lines = graph.page.paths?.map(({ nodes, strength }) => pathLine(shape, graph, nodes, strength, notes.names));
    this.slot.render(JSON.stringify([notes.names, notes.pinned, shown, lines, highlighted, whole]), () => {
      const choices = nodeChoices(shape, notes);
      const count = countBox({ value: this.count, most: MOST_PATHS, attributes: { id: 'path-count', 'data-key': 'path count' }, choose: (paths) => (this.count = paths) });
      return [
        el('div', { class: 'section-title' }, [el('h2', { text: 'Strongest paths' })]),
        el('div', { class: 'toolbar' }, [
          dropDown('From', choices, this.from, (name) => (this.from = name)),
          dropDown('To', choices, this.to, (name) => (this.to = name)),
          el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Paths', attributes: { for: 'path-count' } }), count]),
          button('Find paths', () => this.events.between({ from: this.from, to: this.to, paths: this.count })),
          shown && button(whole, () => this.events.between(undefined)),
        ]),
        ...this.list(shape, notes, shown, lines, highlighted),
      ];
    });
  }

  private list(shape: GraphShape, { names }: GraphNotes, shown: PathsChoice['between'], lines: readonly PathLine[] | undefined, highlighted: number | undefined): HTMLElement[] {
    if (!shown || !lines) return [];
    if (lines.length === 0) return [el('p', { class: 'caption', text: `No path leads from ${titleWithName(shape, shown.from, names)} to ${titleWithName(shape, shown.to, names)}.` })];
    return [
      el(
        'ol',
        { class: 'path-list' },
        lines.map(({ text, weakest }, index) =>
          el('li', {}, [
            el('button', {
              class: 'link',
              text,
              attributes: { type: 'button', 'aria-pressed': String(index === highlighted), 'data-key': `path ${text}` },
              on: { click: () => this.events.highlight(index === highlighted ? undefined : index) },
            }),
            el('span', { class: 'path-strength', text: weakest, attributes: { title: 'Score of its weakest edge' } }),
          ]),
        ),
      ),
      el('p', { class: 'caption', text: 'A path is as strong as its weakest edge, whose score stands beside it; q, k and v are the inputs that it enters by. Press one to see it alone.' }),
    ];
  }
}

interface PathLine {
  text: string;
  /** The score of the weakest edge, with its sign. */
  weakest: string;
}

/** "Input → L0H0 v → L3H0 q → Logits": by which input it enters each head is the drawn edges' to say. */
function pathLine(shape: GraphShape, graph: DrawnGraph, nodes: readonly string[], strength: number, names: GraphNotes['names']): PathLine {
  const steps = edgesOnPath(graph, nodes);
  const portInto = (place: number): string => {
    const port = graph.ends[steps[place - 1] ?? -1]?.port;
    return port ? ` ${port}` : '';
  };
  const scores = steps.flatMap((index) => graph.page.edges[index]?.score ?? []).sort((a, b) => Math.abs(a) - Math.abs(b));
  return {
    text: nodes.map((name, place) => titleWithName(shape, name, names) + portInto(place)).join(' → '),
    weakest: scores.length === steps.length && scores[0] !== undefined ? formatScore(scores[0]) : `|${formatScore(strength).replace('+', '')}|`,
  };
}
