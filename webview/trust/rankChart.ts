import { select } from 'd3';
import { rankLines, type TrustPoint } from '../model/trust';
import { el } from '../view/dom';

const MOST = 10;
const ROW = 21;
const TOP = 24;
const WIDTH = 270;
const LEFT = 96;
const RIGHT = WIDTH - 96;

/** The strongest cells by estimate and by exact effect side by side, lines between: crossing lines are changed ranks. */
export function rankChart(points: readonly TrustPoint[], selectedName: string | undefined): HTMLElement {
  const lines = rankLines(points, MOST);
  const rows = Math.min(MOST, points.length);
  const shared = lines.filter(({ estimate, exact }) => estimate !== undefined && exact !== undefined).length;
  const place = el('div', { class: 'rank-chart' });
  const svg = select(place)
    .append('svg')
    .attr('role', 'img')
    .attr('aria-label', `The ${rows} strongest measured cells by estimate and by exact effect: ${shared} are among both. The table of measured cells has every rank.`)
    .attr('viewBox', `0 0 ${WIDTH} ${TOP + rows * ROW + 4}`)
    .attr('width', WIDTH);
  const y = (rank: number): number => TOP + (rank - 0.5) * ROW;
  const write = (text: string, x: number, at: number, anchor: string, name: string): void => {
    svg.append('text').attr('class', name).attr('x', x).attr('y', at + 4).attr('text-anchor', anchor).text(text);
  };
  write('by estimate', LEFT - 10, TOP / 2, 'end', 'chart-heading');
  write('by exact effect', RIGHT + 10, TOP / 2, 'start', 'chart-heading');
  for (const { name, estimate, exact, outside } of lines) {
    const marked = name === selectedName ? ' selected' : '';
    if (estimate !== undefined && exact !== undefined) {
      const moved = Math.abs(estimate - exact) >= 3 ? ' moved' : '';
      svg.append('line').attr('class', `rank-line${moved}${marked}`).attr('x1', LEFT).attr('x2', RIGHT).attr('y1', y(estimate)).attr('y2', y(exact));
    } else if (estimate !== undefined) {
      svg.append('line').attr('class', `rank-line outside${marked}`).attr('x1', LEFT).attr('x2', LEFT + 18).attr('y1', y(estimate)).attr('y2', y(estimate));
      write(`${outside}`, LEFT + 22, y(estimate), 'start', 'rank-outside');
    } else if (exact !== undefined) {
      svg.append('line').attr('class', `rank-line outside${marked}`).attr('x1', RIGHT - 18).attr('x2', RIGHT).attr('y1', y(exact)).attr('y2', y(exact));
      write(`${outside}`, RIGHT - 22, y(exact), 'end', 'rank-outside');
    }
    if (estimate !== undefined) write(`${name}  ${estimate}`, LEFT - 10, y(estimate), 'end', `rank-name${marked}`);
    if (exact !== undefined) write(`${exact}  ${name}`, RIGHT + 10, y(exact), 'start', `rank-name${marked}`);
  }
  return place;
}
