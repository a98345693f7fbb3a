import type { GraphShape } from '../../src/shared/graph/nodes';
import type { PathMode } from '../../src/shared/paths';
import type { DrawnEdge, EdgePositions } from '../../src/shared/pathsProtocol';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { ViewOptions } from '../../src/shared/views';
import type { Computation } from '../computed';
import { Computing } from '../view/computing';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { edgeCard } from './edgeCard';
import { MODES } from './methodWords';
import { edgeEnds, titleOf } from './pathText';
import { positionStrips } from './positionStrip';

export interface EdgeDetailsEvents {
  verify(): void;
  clear(): void;
  focus(name: string): void;
  stopPositions(): void;
  retryPositions(): void;
}

export interface SelectedEdge {
  edge: DrawnEdge;
  rank: number;
  mode: PathMode;
  unit: string;
  options: ViewOptions;
  working: boolean;
  positions: Computation<EdgePositions[]>;
}

/** The selected edge: its score, its exact effect, and where in the prompts it acts. */
export class EdgeDetails {
  private readonly card = new Slot(el('div'));
  private readonly strips = new Slot(el('div', { class: 'position-strips' }));
  private readonly computing: Computing;
  readonly element: HTMLElement;

  constructor(
    private readonly run: RunSummary,
    private readonly shape: GraphShape,
    private readonly events: EdgeDetailsEvents,
  ) {
    this.computing = new Computing(() => 'Attributing the edge by position', { stop: () => events.stopPositions(), retry: () => events.retryPositions() });
    this.element = el('section', { class: 'edge-details', attributes: { 'aria-label': 'Selected edge' } }, [this.card.element, this.computing.element, this.strips.element]);
  }

  render(selected: SelectedEdge | undefined): void {
    this.element.hidden = selected === undefined;
    if (!selected) return;
    const { edge, rank, mode, unit, options, working, positions } = selected;
    const { from, to } = edgeEnds(this.shape, edge);
    this.card.render(JSON.stringify([edge, rank, mode, unit, working]), () => [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Selected edge' })]),
      ...edgeCard(this.shape, edge, rank, unit),
      el('div', { class: 'actions' }, [
        edge.exact === undefined && !working && button('Verify', () => this.events.verify(), { title: `Patch it exactly: ${MODES[mode].explained} (V on an edge in the graph)`, key: 'verify edge' }),
        button(`Focus ${titleOf(this.shape, from)}`, () => this.events.focus(from)),
        button(`Focus ${titleOf(this.shape, to)}`, () => this.events.focus(to)),
        button('Clear', () => this.events.clear(), { key: 'clear edge' }),
      ]),
    ]);
    this.computing.render(positions);
    const ready = positions.state === 'ready' ? positions.value : [];
    this.strips.render(JSON.stringify([ready, options.pair]), () => positionStrips(this.run, ready, options));
  }
}
