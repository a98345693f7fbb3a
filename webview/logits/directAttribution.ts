import type { Readout } from '../../src/shared/readout';
import { HeatmapView } from '../heatmaps/heatmapView';
import type { Cell } from '../heatmaps/heatmapDrawing';
import { legend } from '../view/legend';
import type { Palette } from '../model/colour';
import { headName } from '../model/describe';
import { formatScore, formatShare } from '../model/format';
import { buildHeatmap, valueAt, type HeatmapModel } from '../model/heatmap';
import { BY_INDEX, toggleLine, type MapSort } from '../model/viewState';
import { el } from '../view/dom';
import { Slot } from '../view/slot';
import { Tooltip } from '../view/tooltip';
import { sumsOf } from './readout';
import { signedBars } from './signedBars';

export interface DirectAttributionEvents {
  /** A head's cell was pressed. */
  select(cell: Cell): void;
  say(text: string): void;
}

/** Direct logit attribution of one readout: heads as a small heatmap, all else as bars, and what they add up to. */
export class DirectAttribution {
  readonly element: HTMLElement;
  private readonly tooltip = new Tooltip();
  private readonly heatmap: HeatmapView;
  private readonly legendSlot = new Slot(el('div'));
  private readonly bars = new Slot(el('div', { class: 'bar-columns' }));
  private sort: MapSort = { rows: BY_INDEX, columns: BY_INDEX };
  private model?: HeatmapModel;
  private shown?: { readout: Readout; sum: string; selected?: Cell; palette: Palette };

  constructor(
    private readonly events: DirectAttributionEvents,
  ) {
    this.heatmap = new HeatmapView('Direct logit attribution, layer × head', { row: 'layer', column: 'head', tall: false }, {
      point: (cell, anchor, by) => this.point(cell, anchor, by),
      select: (cell) => events.select(cell),
      sortRows: (column) => this.resort({ ...this.sort, rows: toggleLine(this.sort.rows, column) }),
      sortColumns: (row) => this.resort({ ...this.sort, columns: toggleLine(this.sort.columns, row) }),
      scrolled: () => this.tooltip.hide(),
    });
    // The heatmaps' own tooltip is in the page too.
    this.tooltip.element.id = 'direct-tooltip';
    this.element = el('div', { class: 'direct-attribution' }, [
      el('div', { class: 'direct-heads' }, [this.heatmap.element, this.legendSlot.element]),
      this.bars.element,
      this.tooltip.element,
    ]);
  }

  /** `sum`: what the components add up to, in words. */
  show(readout: Readout, sum: string, palette: Palette, selected?: Cell): void {
    this.shown = { readout, sum, selected, palette };
    this.draw();
    this.drawBars(readout, sum);
  }

  /** Closes the tooltip; false when there was none. */
  escape(): boolean {
    const { shown } = this.tooltip;
    this.tooltip.hide();
    return shown;
  }

  private draw(): void {
    if (!this.shown) return;
    const { readout, palette, selected } = this.shown;
    const model = buildHeatmap(readout.heads, this.sort);
    this.model = model;
    this.heatmap.draw(
      {
        model,
        sort: this.sort,
        rowLabel: (layer) => `L${layer}`,
        rowName: (layer) => `layer ${layer}`,
        columnLabel: (head) => ({ lines: [], index: `H${head}`, classes: [] }),
        columnName: (head) => `head ${head}`,
        cellName: ({ row, column }) => headName(row, column),
        selected,
        related: [],
      },
      palette,
    );
    const words = { sentence: '', negative: 'for the incorrect answer', positive: 'for the correct answer' };
    this.legendSlot.render(`${model.largest} ${palette.colourAt(0)} ${palette.colourAt(1)}`, () => [legend(palette, model.largest, words)]);
  }

  private drawBars(readout: Readout, sum: string): void {
    const sums = sumsOf(readout);
    this.bars.render(JSON.stringify([readout.mlp, sums, sum]), () => [
      el('div', {}, [el('h3', { text: 'MLPs' }), signedBars(readout.mlp.map((value, layer) => ({ label: `MLP ${layer}`, value })), 'Direct logit attribution of each MLP')]),
      el('div', {}, [
        el('h3', { text: 'Sums' }),
        signedBars(
          [
            { label: 'Heads', value: sums.heads },
            { label: 'MLPs', value: sums.mlp },
            { label: 'Token embedding', value: sums.embed },
            { label: 'Position embedding', value: sums.position },
            { label: 'Biases', value: sums.bias },
            { label: sum, value: sums.total, total: true },
          ],
          'Sums of direct logit attribution',
        ),
      ]),
    ]);
  }

  private resort(sort: MapSort): void {
    this.sort = sort;
    this.tooltip.hide();
    this.draw();
  }

  private point(cell: Cell | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void {
    const { model } = this;
    if (!cell || !anchor || !model || cell.row === -1 || cell.column === -1) return this.tooltip.hide();
    const value = valueAt(model, cell.row, cell.column);
    const name = headName(cell.row, cell.column);
    const share = `${formatShare(model.magnitude > 0 ? Math.abs(value) / model.magnitude : 0)} of all heads’ magnitude`;
    this.tooltip.show(anchor, [
      el('div', { class: 'card-title', text: name }),
      el('div', { class: 'card-value' }, [el('strong', { text: formatScore(value) }), ' logits']),
      el('div', { class: 'card-note', text: share }),
    ]);
    if (by === 'focus') this.events.say(`${name}, ${formatScore(value)} logits, ${share}`);
  }
}
