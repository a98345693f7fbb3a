import type { PanelHost, PanelView, RunSummary } from '../../src/shared/panelProtocol';
import { SITES } from '../../src/shared/sites';
import type { ViewOptions } from '../../src/shared/views';
import { CellDetails, type DrawnHeads, type DrawnPositions } from '../cellDetails';
import type { Palette } from '../model/colour';
import { columnTitle, headName, positionName, siteCaption, type CellDescription } from '../model/describe';
import { viewCaption } from '../model/facts';
import { formatScore, plural } from '../model/format';
import { buildHeatmap, matrixAsTsv } from '../model/heatmap';
import { signWords } from '../model/signs';
import { columnToken, tokenColumns } from '../model/tokens';
import { BY_INDEX, groupOf, sameSelection, toggleLine, type MapName, type MapSort, type Selection, type ViewState } from '../model/viewState';
import { Numbers } from '../numbers';
import { cellCard } from './cellCard';
import { dropDown, el } from './dom';
import { factsView, readingAid } from './factsView';
import { headerCard } from './headerCard';
import type { Cell } from './heatmapDrawing';
import { MapSection } from './mapSection';
import { pairsView } from './pairsView';
import { positionLabel } from './positionLabel';
import { SelectionDetails, WIDE } from './selectionDetails';
import { SideTable, TABLE_ROWS } from './sideTable';
import { Slot } from './slot';
import { currentPalette } from './theme';
import { Tooltip } from './tooltip';
import { viewControls } from './viewControls';

const BEHIND_IN_TOOLTIP = 5;
const BEHIND_IN_DETAILS = 10;

interface Pointed {
  map: MapName;
  cell: Cell;
  anchor: Element;
  by: 'pointer' | 'focus';
}

/** A run in the panel: its facts, its two heatmaps, and the table beside them. */
export class RunView {
  readonly element: HTMLElement;
  private readonly numbers: Numbers;
  private readonly maps: Record<MapName, MapSection>;
  private readonly tooltip = new Tooltip();
  private readonly live = el('div', { class: 'hidden', attributes: { 'aria-live': 'polite', 'aria-atomic': 'true', id: 'live' } });
  private readonly reading = new Slot(el('p', { class: 'reading' }));
  private readonly controls = new Slot(el('div', { class: 'toolbar main-toolbar', attributes: { role: 'group', 'aria-label': 'View' } }));
  private readonly pairs = new Slot(el('div'));
  private readonly cells: CellDetails;
  private readonly table: SideTable;
  private readonly details: SelectionDetails;
  private readonly side = el('aside', { class: 'side', attributes: { 'aria-label': 'Strongest cells and selection' } });
  private heads?: DrawnHeads;
  private positions?: DrawnPositions;
  private pointed?: Pointed;
  /** The header that was pressed last: its tooltip would cover what pressing it has changed. */
  private pressed?: { map: MapName; cell: Cell };
  private palette: Palette = currentPalette();
  private pairsOpen = false;
  /** The selection's description is to be spoken once what stands behind it is known. */
  private toSpeak = false;
  private frame = 0;
  private scrollRestored = false;
  private closed = false;
  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !event.defaultPrevented) this.escape();
  };
  private readonly onWidth = (): void => this.schedule();

  constructor(
    private readonly host: PanelHost,
    private readonly run: RunSummary,
    view: PanelView,
    private state: ViewState,
    private readonly save: (state: ViewState) => void,
    act: Parameters<typeof factsView>[1],
  ) {
    this.numbers = new Numbers(host, run.id, () => this.schedule());
    this.numbers.put(view);
    this.cells = new CellDetails(run, this.numbers);
    this.table = new SideTable(this.cells, {
      change: (table) => this.change({ table }),
      select: (cell) => this.select(this.selectionOf(this.state.table.list, cell)),
      copy: (text) => this.copy(text, 'Copied the table'),
    });
    this.maps = {
      heads: this.mapSection('heads', 'Layer × head', { row: 'layer', column: 'head', tall: false }),
      positions: this.mapSection('positions', 'Layer × position', { row: 'layer', column: 'position', tall: true }),
    };
    this.details = new SelectionDetails(this.side, this.maps.heads, {
      copy: (text, done) => this.copy(text, done),
      clear: () => this.change({ selection: undefined }),
    });
    this.side.append(this.table.element, this.details.element);
    this.element = el('div', { class: 'run' }, [
      factsView(run, act),
      this.reading.element,
      this.controls.element,
      this.pairs.element,
      el('div', { class: 'views' }, [this.maps.heads.element, this.maps.positions.element, this.side]),
      this.tooltip.element,
      this.live,
    ]);
    document.addEventListener('keydown', this.onKey);
    WIDE.addEventListener('change', this.onWidth);
  }

  /** Called once the element is in the page. */
  start(): void {
    this.render();
  }

  close(): void {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    document.removeEventListener('keydown', this.onKey);
    WIDE.removeEventListener('change', this.onWidth);
  }

  themeChanged(): void {
    this.palette = currentPalette();
    this.schedule();
  }

  pageScrolled(top: number): void {
    this.change({ scroll: { ...this.state.scroll, page: top } }, false);
    this.afterScroll();
  }

  private change(part: Partial<ViewState>, redraw = true): void {
    this.state = { ...this.state, ...part };
    this.save(this.state);
    if (redraw) this.schedule();
  }

  /** Numbers often arrive in bunches: one drawing per frame. */
  private schedule(): void {
    if (this.closed) return;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.render());
  }

  private render(): void {
    if (this.closed) return;
    const signs = signWords(this.run, this.state.options.unit);
    this.reading.render(signs.sentence, () => readingAid(signs));
    this.renderControls();
    this.pairs.render(`${this.state.options.pair}`, () => [this.pairsElement()]);
    this.drawHeads();
    this.drawPositions();
    this.renderTable();
    this.renderDetails();
    this.refreshTooltip();
    this.restoreScroll();
    if (this.heads) this.cells.prefetch(this.state.options, this.heads.model, this.state.table.list === 'heads' ? this.heads.model.ranked.slice(0, TABLE_ROWS) : []);
  }

  // Controls

  private renderControls(): void {
    const { options, headPositions } = this.state;
    this.controls.render(JSON.stringify([options, headPositions]), () =>
      viewControls(this.run, this.state, {
        pair: (pair) => this.choosePair(pair),
        unit: (unit) => this.change({ options: { ...this.state.options, unit } }),
        headPositions: (chosen) => this.change({ headPositions: chosen }),
      }),
    );
  }

  private choosePair(pair: ViewOptions['pair']): void {
    const group = groupOf(this.run, pair) ?? this.state.group;
    this.change({ options: { ...this.state.options, pair }, ...this.inGroup(group) });
  }

  /** Going to another length group: a column it does not have can neither sort it nor stay selected. */
  private inGroup(group: number): Partial<ViewState> {
    if (group === this.state.group) return {};
    const { sort, selection } = this.state;
    return {
      group,
      sort: { ...sort, positions: { ...sort.positions, rows: sort.positions.rows.by === 'line' ? BY_INDEX : sort.positions.rows } },
      selection: selection?.kind === 'position' ? undefined : selection,
    };
  }

  private pairsElement(): HTMLElement {
    const { pair } = this.state.options;
    const element = pairsView(this.run, pair, this.pairsOpen, (chosen) => this.choosePair(chosen));
    element.addEventListener('toggle', () => {
      this.pairsOpen = (element as HTMLDetailsElement).open;
    });
    return element;
  }

  // The maps

  private mapSection(name: MapName, title: string, axes: { row: string; column: string; tall: boolean }): MapSection {
    const sortOf = (): MapSort => this.state.sort[name];
    const setSort = (sort: MapSort): void => this.change({ sort: { ...this.state.sort, [name]: sort } });
    return new MapSection(name, title, axes, {
      point: (cell, anchor, by) => this.point(name, cell, anchor, by),
      select: (cell) => this.select(this.selectionOf(name, cell)),
      sortRows: (column) => {
        this.pressHeader(name, { row: -1, column });
        setSort({ ...sortOf(), rows: toggleLine(sortOf().rows, column) });
      },
      sortColumns: (row) => {
        this.pressHeader(name, { row, column: -1 });
        setSort({ ...sortOf(), columns: toggleLine(sortOf().columns, row) });
      },
      sort: setSort,
      scrolled: (left) => {
        this.afterScroll();
        if (name === 'positions') this.change({ scroll: { ...this.state.scroll, positions: left } }, false);
      },
      copy: () => this.copyMap(name),
      retry: () => this.numbers.retry(),
    });
  }

  private drawHeads(): void {
    const { state, run } = this;
    const { options, headPositions, selection } = state;
    const section = this.maps.heads;
    section.renderControls('', () => [], state.sort.heads, { ofRows: (head) => `H${head}`, ofColumns: (layer) => `L${layer}` });
    const asked = this.numbers.view(options);
    if (asked.state !== 'ready') return section.wait(asked.state === 'failed' ? asked.message : undefined);
    const model = buildHeatmap(asked.value.heads[headPositions], state.sort.heads);
    this.heads = { options, positions: headPositions, model };
    section.draw(
      {
        subtitle: headPositions === 'all' ? 'Head output (z), summed over all positions.' : 'Head output (z) at the last position.',
        signs: signWords(run, options.unit),
        caption: viewCaption(run, options),
        drawing: {
          model,
          sort: state.sort.heads,
          rowLabel: (layer) => `L${layer}`,
          rowName: (layer) => `layer ${layer}`,
          columnLabel: (head) => ({ lines: [], index: `H${head}`, classes: [] }),
          columnName: (head) => `head ${head}`,
          cellName: ({ row, column }) => headName(row, column),
          selected: this.selectedIn('heads'),
          related: this.cells.relatedHeads(selection, state),
        },
      },
      this.palette,
    );
  }

  private drawPositions(): void {
    const { state, run } = this;
    const { options, group, site, selection } = state;
    const section = this.maps.positions;
    const columns = tokenColumns(run.pairs, run.groups[group]!, options.pair);
    section.renderControls(`${site} ${group} ${options.pair}`, () => this.positionControls(), state.sort.positions, {
      ofRows: (position) => `position ${position}`,
      ofColumns: (layer) => `L${layer}`,
    });
    const asked = this.numbers.positionMap(options, group, site);
    if (asked.state !== 'ready') return section.wait(asked.state === 'failed' ? asked.message : undefined);
    const model = buildHeatmap(asked.value, state.sort.positions);
    this.positions = { options, group, site, model, columns };
    const several = run.groups.length > 1;
    const { length, pairs } = run.groups[group]!;
    section.draw(
      {
        subtitle: `${SITES[site].title}. ${siteCaption(site, run)}`,
        signs: signWords(run, options.unit),
        caption: viewCaption(run, options) + (several && options.pair === 'all' ? ` · the ${plural(pairs.length, 'pair')} of ${length} tokens` : ''),
        drawing: {
          model,
          sort: state.sort.positions,
          rowLabel: (layer) => `L${layer}`,
          rowName: (layer) => `layer ${layer}`,
          columnLabel: (position) => positionLabel(columns[position]!),
          columnName: (position) => columnTitle(columns[position]!),
          cellName: ({ row, column }) => positionName(row, column),
          selected: this.selectedIn('positions'),
          related: this.cells.relatedPositions(selection, state),
        },
      },
      this.palette,
    );
  }

  private positionControls(): HTMLElement[] {
    const { run, state } = this;
    const { site, group, options } = state;
    const controls = [
      dropDown('Site', run.sites.map((value) => ({ value, label: SITES[value].title })), site, (value) => this.change({ site: value })),
    ];
    if (run.groups.length > 1) {
      const fixed = groupOf(run, options.pair);
      const choices = run.groups.map(({ length, pairs, positions }, index) => ({
        value: String(index),
        label: positions === 'last' ? `last position (${plural(pairs.length, 'pair')})` : `${length} tokens (${plural(pairs.length, 'pair')})`,
        disabled: fixed !== undefined && index !== fixed,
      }));
      controls.push(dropDown('Length', choices, String(group), (value) => this.change(this.inGroup(Number(value)))));
    }
    return controls;
  }

  private copyMap(name: MapName): void {
    const drawn = name === 'heads' ? this.heads : this.positions;
    if (!drawn) return;
    const columnName = (column: number): string => (name === 'heads' ? `H${column}` : `${column} ${columnToken(this.positions!.columns[column]!)}`);
    this.copy(matrixAsTsv(drawn.model, (row) => `L${row}`, columnName), 'Copied the map');
  }

  // Selection and what stands behind it

  private selectionOf(map: MapName, { row, column }: Cell): Selection {
    return map === 'heads'
      ? { kind: 'head', layer: row, head: column }
      : { kind: 'position', group: this.positions?.group ?? this.state.group, layer: row, position: column };
  }

  private select(selection: Selection): void {
    const same = sameSelection(this.state.selection, selection);
    this.toSpeak = true;
    this.change({ selection: same ? undefined : selection });
    if (same) this.say('Selection cleared');
  }

  private escape(): void {
    if (this.tooltip.shown) this.hideTooltip();
    else if (this.state.selection) {
      this.change({ selection: undefined });
      this.say('Selection cleared');
    }
  }

  /** The selected cell, if it is one of that map as drawn. */
  private selectedIn(map: MapName): Cell | undefined {
    const { selection } = this.state;
    if (selection?.kind === 'head') return map === 'heads' ? { row: selection.layer, column: selection.head } : undefined;
    return selection && map === 'positions' && selection.group === this.positions?.group ? { row: selection.layer, column: selection.position } : undefined;
  }

  private describe(map: MapName, cell: Cell, most: number): CellDescription | undefined {
    if (map === 'heads') return this.heads && this.cells.ofHead(this.heads, cell, most);
    return this.positions && this.cells.ofPosition(this.positions, cell, most);
  }

  private renderTable(): void {
    const { table } = this.state;
    const drawn = table.list === 'heads' ? this.heads : this.positions;
    if (this.heads && drawn) this.table.render(table, this.heads, this.positions, this.selectedIn(table.list), viewCaption(this.run, drawn.options));
  }

  private renderDetails(): void {
    const map = this.state.selection?.kind === 'position' ? 'positions' : 'heads';
    const cell = this.selectedIn(map);
    const description = cell && this.describe(map, cell, BEHIND_IN_DETAILS);
    if (description && this.toSpeak && description.behind.state !== 'loading') {
      this.toSpeak = false;
      const { behind } = description;
      this.say(`Selected ${description.sentence}. ${behind.state === 'ready' ? `${behind.heading}: ${behind.items.slice(0, BEHIND_IN_TOOLTIP).map(({ label, value }) => `${label} ${formatScore(value)}`).join(', ')}` : behind.message}`);
    }
    this.details.render(description, this.maps[map]);
  }

  private copy(text: string, done: string): void {
    this.host.copy({ text }).then(
      () => this.say(done),
      (error: unknown) => this.say(`Not copied: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  // Tooltip and live region

  private point(map: MapName, cell: Cell | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void {
    const { pressed } = this;
    if (cell && pressed?.map === map && pressed.cell.row === cell.row && pressed.cell.column === cell.column) return;
    this.pressed = undefined;
    if (!cell || !anchor || this.maps[map].waiting) return this.hideTooltip();
    this.pointed = { map, cell, anchor, by };
    this.refreshTooltip();
    if (by === 'focus') this.say(this.sentenceOf(map, cell));
  }

  private pressHeader(map: MapName, cell: Cell): void {
    this.pressed = { map, cell };
    this.hideTooltip();
  }

  private sentenceOf(map: MapName, cell: Cell): string {
    if (cell.row === -1) return `${map === 'heads' ? `head ${cell.column}` : columnTitle(this.positions!.columns[cell.column]!)}, Enter sorts the layers by it`;
    if (cell.column === -1) return `layer ${cell.row}, Enter sorts the ${map === 'heads' ? 'heads' : 'positions'} by it`;
    return this.describe(map, cell, 0)?.sentence ?? '';
  }

  private refreshTooltip(): void {
    const { pointed } = this;
    if (!pointed) return;
    const { map, cell, anchor } = pointed;
    if (!anchor.isConnected) return this.hideTooltip();
    if (cell.row === -1 || cell.column === -1) return this.tooltip.show(anchor, headerCard(map, cell, this.state.sort[map], this.positions?.columns));
    const description = this.describe(map, cell, BEHIND_IN_TOOLTIP);
    if (description) this.tooltip.show(anchor, cellCard(description));
  }

  private hideTooltip(): void {
    this.pointed = undefined;
    this.tooltip.hide();
  }

  /** The tooltip goes with its cell, unless there is another one under the pointer now. */
  private afterScroll(): void {
    const { pointed } = this;
    if (pointed?.by === 'focus' || pointed?.anchor.matches(':hover')) this.refreshTooltip();
    else this.hideTooltip();
  }

  private say(text: string): void {
    this.live.textContent = text;
  }

  // Housekeeping

  private restoreScroll(): void {
    if (this.scrollRestored || !this.heads || !this.positions) return;
    this.scrollRestored = true;
    const { page, positions } = this.state.scroll;
    if (positions > 0) this.maps.positions.heatmap.scrollLeft = positions;
    if (page > 0) window.scrollTo({ top: page });
  }
}
