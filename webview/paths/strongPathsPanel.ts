import type { GraphShape } from '../../src/shared/graph/nodes';
import type { GraphNotes } from '../../src/shared/paths';
import type { GraphPage } from '../../src/shared/pathsProtocol';
import { formatScore } from '../model/format';
import { button, dropDown, el } from '../view/dom';
import { Slot } from '../view/slot';
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

  /** `paths`: what is drawn, where paths are. */
  render(shape: GraphShape, notes: GraphNotes, shown: PathsChoice['between'], paths: GraphPage['paths'], highlighted: number | undefined): void {
    this.slot.render(JSON.stringify([notes.names, notes.pinned, shown, paths, highlighted]), () => {
      const choices = nodeChoices(shape, notes);
      const count = el('input', {
        class: 'number',
        attributes: { type: 'number', id: 'path-count', min: 1, max: MOST_PATHS, value: this.count, 'data-key': 'path count' },
        on: {
          change: () => {
            this.count = Math.max(1, Math.min(MOST_PATHS, Math.round(Number(count.value)) || DEFAULT_PATHS));
            count.value = String(this.count);
          },
        },
      });
      return [
        el('div', { class: 'section-title' }, [el('h2', { text: 'Strongest paths' })]),
        el('div', { class: 'toolbar' }, [
          dropDown('From', choices, this.from, (name) => (this.from = name)),
          dropDown('To', choices, this.to, (name) => (this.to = name)),
          el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Paths', attributes: { for: 'path-count' } }), count]),
          button('Find paths', () => this.events.between({ from: this.from, to: this.to, paths: this.count })),
          shown && button('Whole graph', () => this.events.between(undefined)),
        ]),
        ...this.list(shape, notes, shown, paths, highlighted),
      ];
    });
  }

  private list(shape: GraphShape, { names }: GraphNotes, shown: PathsChoice['between'], paths: GraphPage['paths'], highlighted: number | undefined): HTMLElement[] {
    if (!shown || !paths) return [];
    if (paths.length === 0) return [el('p', { class: 'caption', text: `No path leads from ${titleWithName(shape, shown.from, names)} to ${titleWithName(shape, shown.to, names)}.` })];
    return [
      el(
        'ol',
        { class: 'path-list' },
        paths.map(({ nodes, strength }, index) =>
          el('li', {}, [
            el('button', {
              class: 'link',
              text: nodes.map((name) => titleWithName(shape, name, names)).join(' → '),
              attributes: { type: 'button', 'aria-pressed': String(index === highlighted), 'data-key': `path ${nodes.join(' ')}` },
              on: { click: () => this.events.highlight(index === highlighted ? undefined : index) },
            }),
            el('span', { class: 'path-strength', text: formatScore(strength).replace('+', ''), attributes: { title: '|score| of its weakest edge' } }),
          ]),
        ),
      ),
      el('p', { class: 'caption', text: 'A path is as strong as its weakest edge. Press one to see it alone.' }),
    ];
  }
}
