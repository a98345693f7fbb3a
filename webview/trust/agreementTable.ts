import type { RunSummary, SiteAgreement } from '../../src/shared/panelProtocol';
import { SITES } from '../../src/shared/sites';
import type { MapOf } from '../../src/shared/views';
import { formatCoefficient } from '../model/trust';
import { el } from '../view/dom';

/** What a map is, in few words: "layer × head, all positions". */
export function mapWords(map: MapOf, { groups }: Pick<RunSummary, 'groups'>): string {
  if (map.over !== 'positions') return `layer × head, ${map.over === 'all' ? 'all positions' : 'metric’s position'}`;
  const { length, positions } = groups[map.group]!;
  const which = positions === 'last' ? 'metric’s position' : groups.length > 1 ? `${length} tokens` : 'by position';
  return map.site === 'embed' ? `by position, ${length} tokens` : `layer × position${which === 'by position' ? '' : `, ${which}`}`;
}

/** How well estimates agree with exact effects, site by site; pressing a row shows its points. */
export function agreementTable(rows: readonly SiteAgreement[], run: RunSummary, shown: MapOf, open: (map: MapOf) => void): HTMLElement[] {
  const measured = rows.filter((row) => row.measured > 0);
  const heading = (text: string, title: string, name = 'score'): HTMLElement => el('th', { class: name, text, attributes: { scope: 'col', title } });
  return [
    el('div', { class: 'section-title' }, [el('h2', { text: 'Agreement by site' })]),
    ...(measured.length === 0
      ? []
      : [
          el('div', { class: 'table-scroller' }, [
            el('table', { class: 'ranked agreement' }, [
              el('caption', { class: 'hidden', text: 'Agreement of estimates with exact effects, site by site' }),
              el('thead', {}, [
                el('tr', {}, [
                  heading('Site', 'The activation patched', 'name'),
                  heading('Map', 'What a cell is', 'map'),
                  heading('Measured', 'Cells patched exactly, of all'),
                  heading('r', 'Pearson correlation'),
                  heading('ρ', 'Spearman rank correlation'),
                  heading('Slope', 'Least squares of estimate on exact: above 1 the estimates are too strong'),
                ]),
              ]),
              el(
                'tbody',
                {},
                measured.map(({ map, measured: count, cells, summary }) => {
                  const current = JSON.stringify(sorted(map)) === JSON.stringify(sorted(shown));
                  return el('tr', { class: current ? 'selected' : undefined, on: { click: () => open(map) } }, [
                    el('th', { class: 'name', attributes: { scope: 'row' } }, [
                      el('button', { class: 'link', text: SITES[map.site].title, attributes: { type: 'button', 'aria-current': current ? 'true' : undefined, 'data-key': `site ${JSON.stringify(map)}` } }),
                    ]),
                    el('td', { class: 'map', text: mapWords(map, run) }),
                    el('td', { class: 'score', text: `${count} of ${cells}` }),
                    el('td', { class: 'score', text: formatCoefficient(summary.pearson) }),
                    el('td', { class: 'score', text: formatCoefficient(summary.spearman) }),
                    el('td', { class: 'score', text: formatCoefficient(summary.slope) }),
                  ]);
                }),
              ),
            ]),
          ]),
        ]),
    el('p', { class: 'caption', text: measured.length === 0 ? 'Nothing is measured yet. Sites appear here as their cells are verified.' : 'Only measured cells count: figures of the strongest cells are not those of all.' }),
  ];
}

/** The same for equal maps, however their fields are ordered. */
function sorted(map: MapOf): unknown[] {
  return [map.site, map.over, map.over === 'positions' ? map.group : undefined];
}
