import type { RunSummary } from '../../src/shared/panelProtocol';
import type { EdgePositions } from '../../src/shared/pathsProtocol';
import { plural } from '../../src/shared/text';
import { tokenColumns } from '../../src/shared/tokenColumns';
import type { ViewOptions } from '../../src/shared/views';
import { columnPlace } from '../model/describe';
import { formatScore } from '../model/format';
import { columnToken, shortTexts } from '../model/tokens';
import { el } from '../view/dom';

/** An edge by position: one signed bar over each token, length by length. */
export function positionStrips(run: RunSummary, answer: readonly EdgePositions[], { pair }: ViewOptions): HTMLElement[] {
  const largest = Math.max(...answer.flatMap(({ scores }) => scores.map(Math.abs)), Number.MIN_VALUE);
  return answer.map(({ group, scores }) => {
    const columns = tokenColumns(run, run.groups[group]!, pair);
    const heading = answer.length > 1 ? `By position (${plural(scores.length, 'token')})` : 'By position';
    return el('figure', { class: 'position-strip' }, [
      el('figcaption', { class: 'card-heading', text: heading }),
      el('div', { class: 'strip-scroller', attributes: { tabindex: 0, role: 'region', 'aria-label': heading } }, [
        el(
          'ol',
          {},
          scores.map((score, position) => {
            const column = columns[position]!;
            const bar = el('span', { class: score < 0 ? 'strip-bar negative' : 'strip-bar positive' });
            bar.style.height = score === 0 ? '0' : `max(2px, ${(Math.abs(score) / largest) * 100}%)`;
            return el('li', { attributes: { title: `${columnPlace(column)} ${columnToken(column)}: ${formatScore(score)}` } }, [
              el('span', { class: 'strip-track', attributes: { 'aria-hidden': 'true' } }, [bar]),
              el('span', { class: 'strip-token', text: shortTexts(column.clean) }),
              el('span', { class: 'hidden', text: formatScore(score) }),
            ]);
          }),
        ),
      ]),
    ]);
  });
}
