import { fullTokens, rowName } from '../model/describe';
import type { MapName, MapSort } from '../model/viewState';
import { el } from '../view/dom';
import { columnWords, type DrawnMap } from './drawnMap';
import type { Cell } from './heatmapDrawing';

/** What the tooltip says of a row or column header: its tokens in full, and what pressing it does. */
export function headerCard(map: MapName, { row, column }: Cell, sort: MapSort, drawn: DrawnMap | undefined): HTMLElement[] {
  const isColumn = row === -1;
  const key = isColumn ? sort.rows : sort.columns;
  const sorted = key.by === 'line' && key.line === (isColumn ? column : row);
  const others = isColumn ? 'layers' : map;
  const token = map === 'positions' && isColumn ? drawn?.columns[column] : undefined;
  const title = map === 'positions' && isColumn && drawn ? columnWords(drawn, column) : isColumn ? `head ${column}` : rowName(drawn?.map.site ?? 'z', row);
  const tokens = token && fullTokens(token);
  return [
    el('div', { class: 'card-title', text: title }),
    ...(tokens === undefined ? [] : [el('div', { class: 'card-tokens', text: tokens })]),
    el('div', { class: 'card-note', text: sorted ? `The ${others} are sorted by it; press again for their own order.` : `Press to sort the ${others} by it.` }),
  ];
}
