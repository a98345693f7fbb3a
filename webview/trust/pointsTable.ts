import { plural } from '../../src/shared/text';
import { formatScore } from '../model/format';
import type { TrustPoint } from '../model/trust';
import { button, el } from '../view/dom';
import { moveInRows, takeStop } from '../view/rows';

const MOST_ROWS = 200;

export interface PointsDrawing {
  /** Those in the rectangle drawn, or all. */
  points: readonly TrustPoint[];
  brushed: boolean;
  selected?: { row: number; column: number };
  /** The row that holds the table's one tab stop. */
  active?: string;
}

export interface PointsEvents {
  select(point: TrustPoint): void;
  clearBrush(): void;
  activate(name: string): void;
}

/** The measured cells as a table: the scatter's and the rank chart's twin. */
export function pointsTable({ points, brushed, selected, active }: PointsDrawing, events: PointsEvents): HTMLElement[] {
  const rows = points.slice(0, MOST_ROWS);
  const stop = rows.some(({ name }) => name === active) ? active : rows[0]?.name;
  const heading = brushed ? `${plural(points.length, 'cell')} in the rectangle` : `${plural(points.length, 'measured cell')}`;
  const column = (text: string, title: string, name: string): HTMLElement => el('th', { class: name, text, attributes: { scope: 'col', title } });
  return [
    el('div', { class: 'section-title' }, [el('h2', { text: heading }), brushed && button('Show all', () => events.clearBrush())]),
    el('div', { class: 'table-scroller points', attributes: { tabindex: -1 } }, [
      el('table', { class: 'ranked' }, [
        el('caption', { class: 'hidden', text: 'Measured cells by strength of their estimates' }),
        el('thead', {}, [
          el('tr', {}, [
            column('Cell', 'Layer and head, or layer and position', 'name'),
            column('Estimate', 'By attribution', 'score'),
            column('Exact', 'By exact patching', 'exact'),
            column('Off by', 'Estimate − exact', 'score'),
            column('Ranks', 'By estimate → by exact effect, among the measured cells', 'share'),
          ]),
        ]),
        el(
          'tbody',
          { on: { keydown: moveInRows, focusin: ({ target, currentTarget }) => events.activate(takeStop(currentTarget as HTMLElement, target as HTMLElement)) } },
          rows.map((point) => {
            const { name, title, row, column: at } = point;
            const isSelected = selected?.row === row && selected.column === at;
            return el('tr', { class: isSelected ? 'selected' : undefined, attributes: { 'data-name': name }, on: { click: () => events.select(point) } }, [
              el('th', { class: 'name', attributes: { scope: 'row' } }, [
                el('button', { class: 'link', text: title, attributes: { type: 'button', tabindex: name === stop ? 0 : -1, 'aria-pressed': isSelected ? 'true' : 'false', 'data-key': `point ${name}` } }),
              ]),
              el('td', { class: 'score', text: formatScore(point.estimate) }),
              el('td', { class: 'exact', text: formatScore(point.exact) }),
              el('td', { class: 'score', text: formatScore(point.miss) }),
              el('td', { class: 'share', text: `${point.estimateRank} → ${point.exactRank}` }),
            ]);
          }),
        ),
      ]),
    ]),
    ...(points.length > MOST_ROWS ? [el('p', { class: 'caption', text: `The ${MOST_ROWS} strongest of ${points.length}; draw a rectangle in the scatter for others.` })] : []),
  ];
}
