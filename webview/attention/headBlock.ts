import { headName } from '../model/describe';
import { el } from '../view/dom';
import type { Scroll } from './matrixGeometry';
import { MatrixView, type Highlight, type MatrixEvents } from './matrixView';
import type { PatternCell, PatternKind, PatternMatrix } from './patterns';
import type { Scale } from './scales';

/** The matrices of one head, side by side. They are kept while their numbers change, so that focus and scroll stay. */
export class HeadBlock {
  readonly element: HTMLElement;
  private readonly heading = el('h2');
  private readonly row = el('div', { class: 'matrices' });
  private readonly views = new Map<PatternKind, MatrixView>();

  constructor(private readonly events: MatrixEvents) {
    this.element = el('section', { class: 'attention-head' }, [this.heading, this.row]);
  }

  draw(layer: number, head: number, matrices: readonly PatternMatrix[], scales: Record<PatternKind, Scale>): void {
    const name = headName(layer, head);
    this.heading.textContent = name;
    this.element.setAttribute('aria-label', name);
    for (const [kind, view] of this.views) {
      if (matrices.some((matrix) => matrix.kind === kind)) continue;
      view.close();
      view.element.remove();
      this.views.delete(kind);
    }
    matrices.forEach((matrix, place) => {
      const view = this.views.get(matrix.kind) ?? new MatrixView(this.events);
      this.views.set(matrix.kind, view);
      if (this.row.children[place] !== view.element) this.row.insertBefore(view.element, this.row.children[place] ?? null);
      view.draw(matrix, matrices, scales[matrix.kind], name);
    });
  }

  mark(highlight: Highlight): void {
    for (const view of this.views.values()) view.mark(highlight);
  }

  follow(scroll: Scroll): void {
    for (const view of this.views.values()) view.follow(scroll);
  }

  reveal(cell: PatternCell): void {
    for (const view of this.views.values()) view.reveal(cell);
  }

  close(): void {
    for (const view of this.views.values()) view.close();
  }
}
