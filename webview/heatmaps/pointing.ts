import type { CellDescription } from '../model/describe';
import { rowName } from '../model/describe';
import type { MapName, ViewState } from '../model/viewState';
import { Tooltip } from '../view/tooltip';
import { cellCard } from './cellCard';
import { columnWords, type DrawnMap } from './drawnMap';
import { headerCard } from './headerCard';
import type { Cell } from './heatmapDrawing';

const BEHIND_IN_TOOLTIP = 5;

interface Sources {
  drawn(map: MapName): DrawnMap | undefined;
  sort(map: MapName): ViewState['sort'][MapName];
  waiting(map: MapName): boolean;
  describe(map: MapName, cell: Cell, most: number): CellDescription | undefined;
  say(text: string): void;
}

/** The tooltip of the maps, by pointer and by focus, and what is spoken of the cell in focus. */
export class Pointing {
  readonly tooltip = new Tooltip();
  private pointed?: { map: MapName; cell: Cell; anchor: Element; by: 'pointer' | 'focus' };
  /** The header that was pressed last: its tooltip would cover what pressing it has changed. */
  private pressed?: { map: MapName; cell: Cell };

  constructor(private readonly sources: Sources) {}

  point(map: MapName, cell: Cell | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void {
    const { pressed } = this;
    if (cell && pressed?.map === map && pressed.cell.row === cell.row && pressed.cell.column === cell.column) return;
    this.pressed = undefined;
    if (!cell || !anchor || this.sources.waiting(map)) return this.hide();
    this.pointed = { map, cell, anchor, by };
    this.refresh();
    if (by === 'focus') this.sources.say(this.sentenceOf(map, cell));
  }

  pressHeader(map: MapName, cell: Cell): void {
    this.pressed = { map, cell };
    this.hide();
  }

  refresh(): void {
    const { pointed } = this;
    if (!pointed) return;
    const { map, cell, anchor } = pointed;
    if (!anchor.isConnected) return this.hide();
    if (cell.row === -1 || cell.column === -1) return this.tooltip.show(anchor, headerCard(map, cell, this.sources.sort(map), this.sources.drawn(map)));
    const description = this.sources.describe(map, cell, BEHIND_IN_TOOLTIP);
    if (description) this.tooltip.show(anchor, cellCard(description));
  }

  hide(): void {
    this.pointed = undefined;
    this.tooltip.hide();
  }

  /** The tooltip goes with its cell, unless there is another one under the pointer now. */
  afterScroll(): void {
    const { pointed } = this;
    if (pointed?.by === 'focus' || pointed?.anchor.matches(':hover')) this.refresh();
    else this.hide();
  }

  private sentenceOf(map: MapName, cell: Cell): string {
    const drawn = this.sources.drawn(map);
    if (!drawn) return '';
    if (cell.row === -1) return `${map === 'heads' ? `head ${cell.column}` : columnWords(drawn, cell.column)}, Enter sorts the layers by it`;
    if (cell.column === -1) return `${rowName(drawn.map.site, cell.row)}, Enter sorts the ${map === 'heads' ? 'heads' : 'positions'} by it`;
    return this.sources.describe(map, cell, 0)?.sentence ?? '';
  }
}
