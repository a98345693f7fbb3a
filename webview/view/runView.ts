import type { PanelHost, PanelView, RunSummary } from '../../src/shared/panelProtocol';
import { SITES, type SiteName } from '../../src/shared/sites';
import type { HeadPositions, ViewOptions } from '../../src/shared/views';
import { headsBehind, positionsBehind } from '../model/behind';
import type { Palette } from '../model/colour';
import {
  columnPlace,
  columnTitle,
  describeHead,
  describePosition,
  fullTokens,
  headName,
  positionName,
  siteCaption,
  type CellDescription,
  type Loaded,
} from '../model/describe';
import { viewCaption } from '../model/facts';
import { formatScore, plural } from '../model/format';
import { buildHeatmap, matrixAsTsv, type HeatmapModel } from '../model/heatmap';
import { firstDirection, listRows, type ListRow } from '../model/rankedList';
import { cleanToken, columnToken, shortTexts, tokenColumns, type TokenColumn } from '../model/tokens';
import { BY_INDEX, groupOf, sameSelection, toggleLine, type MapName, type MapSort, type Selection, type TableColumn, type ViewState } from '../model/viewState';
import { Numbers } from '../numbers';
import { cellCard } from './cellCard';
import { button, dropDown, el, segmented } from './dom';
import { factsView } from './factsView';
import type { Cell, ColumnLabel } from './heatmapView';
import { MapSection } from './mapSection';
import { pairsView } from './pairsView';
import { rankedTable } from './rankedTable';
import { Slot } from './slot';
import { currentPalette } from './theme';
import { Tooltip } from './tooltip';

const TABLE_ROWS = 20;
/** A positions map can have tens of thousands of cells; a table of that length helps nobody. */
const MOST_TABLE_ROWS = 500;
const BEHIND_IN_TOOLTIP = 5;
const BEHIND_IN_DETAILS = 10;
/** Runs whose layer details are no larger than this in all are fetched ahead; of others only what the table names. */
const PREFETCH_BYTES = 600_000;
const AT_ONCE = 4;
/** What is marked as standing behind the selection is at least this share of the strongest. */
const RELATED_SHARE = 0.1;

/** What is on the screen: descriptions and copies are of this, even while other numbers are on their way. */
interface DrawnHeads {
  options: ViewOptions;
  positions: HeadPositions;
  model: HeatmapModel;
}

interface DrawnPositions {
  options: ViewOptions;
  group: number;
  site: SiteName;
  model: HeatmapModel;
  columns: TokenColumn[];
}

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
  private readonly controls = new Slot(el('div', { class: 'toolbar main-toolbar', attributes: { role: 'group', 'aria-label': 'View' } }));
  private readonly pairs = new Slot(el('div'));
  private readonly table = new Slot(el('section', { class: 'table-section', attributes: { 'aria-label': 'Strongest cells' } }));
  private readonly details = new Slot(el('section', { class: 'details', attributes: { 'aria-label': 'Selection' } }));
  private heads?: DrawnHeads;
  private positions?: DrawnPositions;
  private pointed?: Pointed;
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
    this.maps = {
      heads: this.mapSection('heads', 'Layer × head', { row: 'layer', column: 'head', tall: false }),
      positions: this.mapSection('positions', 'Layer × position', { row: 'layer', column: 'position', tall: true }),
    };
    this.element = el('div', { class: 'run' }, [
      factsView(run, act),
      this.controls.element,
      this.pairs.element,
      el('div', { class: 'views' }, [this.maps.heads.element, this.maps.positions.element, el('aside', { class: 'side', attributes: { 'aria-label': 'Strongest cells and selection' } }, [this.table.element, this.details.element])]),
      this.tooltip.element,
      this.live,
    ]);
    document.addEventListener('keydown', this.onKey);
  }

  /** Called once the element is in the page. */
  start(): void {
    this.render();
  }

  close(): void {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    document.removeEventListener('keydown', this.onKey);
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
    this.renderControls();
    this.pairs.render(`${this.state.options.pair}`, () => [this.pairsElement()]);
    this.drawHeads();
    this.drawPositions();
    this.renderTable();
    this.renderDetails();
    this.refreshTooltip();
    this.restoreScroll();
    this.prefetch();
  }

  // Controls

  private renderControls(): void {
    const { run, state } = this;
    const { pair, unit } = state.options;
    const reason = 'The logit differences of clean and corrupted are too close to divide by.';
    this.controls.render(JSON.stringify([state.options, state.headPositions]), () => [
      run.pairs.length > 1
        ? dropDown(
            'Pairs',
            [{ value: 'all', label: `All ${run.pairs.length} pairs` }, ...run.pairs.map(({ name }, index) => ({ value: String(index), label: name }))],
            String(pair),
            (value) => this.choosePair(value === 'all' ? 'all' : Number(value)),
          )
        : el('span'),
      segmented(
        'Unit',
        [
          { value: 'normalised', label: 'Normalised', disabled: !run.canNormalise, title: run.canNormalise ? '0 corrupted … 1 clean' : reason },
          { value: 'raw', label: 'Raw logits' },
        ],
        unit,
        (value) => this.change({ options: { pair, unit: value } }),
      ),
      segmented(
        'Heads',
        [
          { value: 'all', label: 'All positions', title: 'Scores of each head summed over all positions' },
          { value: 'last', label: 'Last position', title: 'Scores of each head at the metric’s position only' },
        ],
        state.headPositions,
        (headPositions) => this.change({ headPositions }),
      ),
      ...(run.canNormalise ? [] : [el('p', { class: 'caption', text: `Not normalised: ${reason.toLowerCase()}` })]),
    ]);
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
    const element = pairsView(this.run, pair, this.pairsOpen || pair !== 'all' || this.run.pairs.length === 1, (chosen) => this.choosePair(chosen));
    element.addEventListener('toggle', () => {
      if (pair === 'all') this.pairsOpen = (element as HTMLDetailsElement).open;
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
      sortRows: (column) => setSort({ ...sortOf(), rows: toggleLine(sortOf().rows, column) }),
      sortColumns: (row) => setSort({ ...sortOf(), columns: toggleLine(sortOf().columns, row) }),
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
        caption: viewCaption(run, options),
        drawing: {
          model,
          sort: state.sort.heads,
          rowLabel: (layer) => `L${layer}`,
          rowName: (layer) => `layer ${layer}`,
          columnLabel: (head) => ({ lines: [], index: `H${head}`, classes: [] }),
          columnName: (head) => `head ${head}`,
          cellName: ({ row, column }) => headName(row, column),
          selected: selection?.kind === 'head' ? { row: selection.layer, column: selection.head } : undefined,
          related: this.headsBehindSelection(),
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
        caption: viewCaption(run, options) + (several && options.pair === 'all' ? ` · the ${plural(pairs.length, 'pair')} of ${length} tokens` : ''),
        drawing: {
          model,
          sort: state.sort.positions,
          rowLabel: (layer) => `L${layer}`,
          rowName: (layer) => `layer ${layer}`,
          columnLabel: (position) => positionLabel(columns[position]!),
          columnName: (position) => columnTitle(columns[position]!),
          cellName: ({ row, column }) => positionName(row, column),
          selected: selection?.kind === 'position' && selection.group === group ? { row: selection.layer, column: selection.position } : undefined,
          related: this.positionsBehindSelection(),
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

  /** Length groups that the chosen pairs are in. */
  private shownGroups(pair: ViewOptions['pair']): number[] {
    return this.run.groups.flatMap(({ pairs }, group) => (pair === 'all' || pairs.includes(pair) ? [group] : []));
  }

  private behind(options: ViewOptions, groups: readonly number[], layer: number): Loaded {
    const asked = groups.map((group) => ({ group, answer: this.numbers.layerDetail(options, group, layer) }));
    const details = [];
    for (const { group, answer } of asked) {
      if (answer.state !== 'ready') return answer;
      details.push({ group, detail: answer.value });
    }
    return { state: 'ready', details };
  }

  private describe(map: MapName, { row, column }: Cell, most: number): CellDescription | undefined {
    if (map === 'heads') {
      if (!this.heads) return undefined;
      const { model, options, positions } = this.heads;
      const columns = this.run.groups.map((group) => tokenColumns(this.run.pairs, group, options.pair));
      const loaded = this.behind(options, this.shownGroups(options.pair), row);
      return describeHead({ layer: row, head: column }, model, positions, options, columns, loaded, most);
    }
    if (!this.positions) return undefined;
    const { model, options, group, site, columns } = this.positions;
    const token = columns[column]!;
    const hasHeads = (site === 'z' || site === 'attn_out') && !token.shared;
    const loaded: Loaded = hasHeads ? this.behind(options, [group], row) : { state: 'loading' };
    return describePosition({ layer: row, position: column }, model, site, options, token, loaded, most);
  }

  private headsBehindSelection(): Cell[] {
    const { selection, options, site } = this.state;
    if (selection?.kind !== 'position' || (site !== 'z' && site !== 'attn_out')) return [];
    const detail = this.numbers.knownLayerDetail(options, selection.group, selection.layer);
    if (!detail) return [];
    return strongOnes(headsBehind(detail, selection.position, BEHIND_IN_TOOLTIP))
      .map(({ head }) => ({ row: selection.layer, column: head }));
  }

  private positionsBehindSelection(): Cell[] {
    const { selection, options, group, site } = this.state;
    if (selection?.kind !== 'head' || (site !== 'z' && site !== 'attn_out')) return [];
    const detail = this.numbers.knownLayerDetail(options, group, selection.layer);
    if (!detail) return [];
    return strongOnes(positionsBehind([{ group, detail }], selection.head, BEHIND_IN_TOOLTIP))
      .map(({ position }) => ({ row: selection.layer, column: position }));
  }

  private renderDetails(): void {
    const { selection } = this.state;
    const shown = selection?.kind === 'position' && selection.group !== this.positions?.group ? undefined : selection;
    const description = shown && this.describe(shown.kind === 'head' ? 'heads' : 'positions', { row: shown.layer, column: shown.kind === 'head' ? shown.head : shown.position }, BEHIND_IN_DETAILS);
    if (description && this.toSpeak && description.behind.state !== 'loading') {
      this.toSpeak = false;
      const { behind } = description;
      this.say(`Selected ${description.sentence}. ${behind.state === 'ready' ? `${behind.heading}: ${behind.items.slice(0, BEHIND_IN_TOOLTIP).map(({ label, value }) => `${label} ${formatScore(value)}`).join(', ')}` : behind.message}`);
    }
    this.details.render(JSON.stringify(description ?? null), () =>
      description
        ? [
            el('div', { class: 'section-title' }, [el('h2', { text: 'Selection' })]),
            ...cellCard(description),
            el('div', { class: 'actions' }, [
              button('Copy value', () => this.copy(String(description.value), 'Copied the value')),
              button('Clear', () => this.change({ selection: undefined })),
            ]),
          ]
        : [el('p', { class: 'caption', text: 'Select a cell or a row to keep its details here.' })],
    );
  }

  // Table

  private renderTable(): void {
    const { state, run, heads, positions } = this;
    const { list, all } = state.table;
    const drawn = list === 'heads' ? heads : positions;
    if (!drawn) return;
    const { model } = drawn;
    const most = all ? MOST_TABLE_ROWS : TABLE_ROWS;
    const rows = listRows(model, state.table, most);
    const total = model.ranked.length;
    const behindTexts = rows.map((row) => this.behindText(list, row));
    const { selection } = state;
    const selected =
      selection?.kind === 'head' && list === 'heads'
        ? { row: selection.layer, column: selection.head }
        : selection?.kind === 'position' && list === 'positions' && selection.group === positions?.group
          ? { row: selection.layer, column: selection.position }
          : undefined;
    const signature = JSON.stringify([state.table, rows, behindTexts, selected, list === 'positions' ? positions?.columns.map(columnToken) : '']);
    this.table.render(signature, () => [
      el('div', { class: 'section-title' }, [
        el('h2', { text: list === 'heads' ? 'Top heads' : 'Top positions' }),
        segmented('List', [{ value: 'heads', label: 'Heads' }, { value: 'positions', label: 'Positions' }], list, (value) =>
          this.change({ table: { ...state.table, list: value, column: 'rank', descending: false } }),
        ),
      ]),
      el('div', { class: 'table-scroller' }, [
        rankedTable(
          {
            caption: list === 'heads' ? 'Heads by strength' : 'Layers and positions by strength',
            rows,
            total,
            state: state.table,
            nameHeading: list === 'heads' ? 'Head' : 'Place',
            behindHeading: list === 'heads' ? 'Strongest position' : 'Strongest head',
            nameOf: ({ row, column }) => (list === 'heads' ? headName(row, column) : positionName(row, column)),
            titleOf: ({ row, column }) => (list === 'heads' ? headName(row, column) : `L${row} · ${columnPlace(positions!.columns[column]!)} ${shortTexts(positions!.columns[column]!.clean)}`),
            behindOf: (cell) => behindTexts[rows.indexOf(cell as ListRow)],
            selected,
          },
          { sort: (column) => this.sortTable(column), select: (cell) => this.select(this.selectionOf(list, cell)) },
        ),
      ]),
      el('div', { class: 'actions' }, [
        total > TABLE_ROWS &&
          button(all ? `Show the top ${TABLE_ROWS}` : total <= MOST_TABLE_ROWS ? `Show all ${total}` : `Show the top ${MOST_TABLE_ROWS} of ${total}`, () => this.change({ table: { ...state.table, all: !all } })),
        button('Copy table', () => this.copyTable(rows, behindTexts)),
      ]),
      el('p', { class: 'caption', text: viewCaption(run, drawn.options) }),
    ]);
  }

  /** "14 “ to”" for a head, "L9H6" for a position, as far as it is known. */
  private behindText(list: MapName, { row, column }: Cell): string | undefined {
    if (list === 'heads') {
      const { options } = this.heads!;
      const details = this.shownGroups(options.pair).map((group) => ({ group, detail: this.numbers.knownLayerDetail(options, group, row) }));
      const known = details.flatMap(({ group, detail }) => (detail ? [{ group, detail }] : []));
      if (known.length < details.length) return undefined;
      const [strongest] = positionsBehind(known, column, 1);
      if (!strongest || strongest.value === 0) return '–';
      const token = tokenColumns(this.run.pairs, this.run.groups[strongest.group]!, options.pair)[strongest.position]!;
      return `${columnPlace(token)} ${cleanToken(token)}`;
    }
    const { options, group, site, columns } = this.positions!;
    if ((site !== 'z' && site !== 'attn_out') || columns[column]!.shared) return '–';
    const detail = this.numbers.knownLayerDetail(options, group, row);
    if (!detail) return undefined;
    const [strongest] = headsBehind(detail, column, 1);
    return strongest && strongest.value !== 0 ? `${headName(row, strongest.head)} ${formatScore(strongest.value)}` : '–';
  }

  private sortTable(column: TableColumn): void {
    const { table } = this.state;
    const descending = table.column === column ? !table.descending : firstDirection(column);
    this.change({ table: { ...table, column, descending } });
  }

  private copyTable(rows: readonly ListRow[], behindTexts: readonly (string | undefined)[]): void {
    const { list } = this.state.table;
    const lines = rows.map((row, index) => [row.rank, list === 'heads' ? headName(row.row, row.column) : positionName(row.row, row.column), row.value, row.share, behindTexts[index] ?? ''].join('\t'));
    this.copy(['rank', list === 'heads' ? 'head' : 'place', 'score', 'share', list === 'heads' ? 'strongest position' : 'strongest head'].join('\t') + '\n' + lines.join('\n') + '\n', 'Copied the table');
  }

  private copy(text: string, done: string): void {
    this.host.copy({ text }).then(
      () => this.say(done),
      (error: unknown) => this.say(`Not copied: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  // Tooltip and live region

  private point(map: MapName, cell: Cell | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void {
    if (!cell || !anchor || this.maps[map].waiting) return this.hideTooltip();
    this.pointed = { map, cell, anchor, by };
    this.refreshTooltip();
    if (by === 'focus') this.say(this.sentenceOf(map, cell));
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
    if (cell.row === -1 || cell.column === -1) return this.tooltip.show(anchor, this.headerCard(map, cell));
    const description = this.describe(map, cell, BEHIND_IN_TOOLTIP);
    if (description) this.tooltip.show(anchor, cellCard(description));
  }

  private headerCard(map: MapName, { row, column }: Cell): HTMLElement[] {
    const sort = this.state.sort[map];
    const isColumn = row === -1;
    const key = isColumn ? sort.rows : sort.columns;
    const sorted = key.by === 'line' && key.line === (isColumn ? column : row);
    const others = isColumn ? 'layers' : map === 'heads' ? 'heads' : 'positions';
    const token = map === 'positions' && isColumn ? this.positions?.columns[column] : undefined;
    const title = token ? columnTitle(token) : isColumn ? `head ${column}` : `layer ${row}`;
    const tokens = token && fullTokens(token);
    return [
      el('div', { class: 'card-title', text: title }),
      ...(tokens === undefined ? [] : [el('div', { class: 'card-tokens', text: tokens })]),
      el('div', { class: 'card-note', text: sorted ? `The ${others} are sorted by it; press again for their own order.` : `Press to sort the ${others} by it.` }),
    ];
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

  /** Fetches what hovering will ask for, a few messages at a time. */
  private prefetch(): void {
    if (this.numbers.asking >= AT_ONCE || !this.heads) return;
    const { run, state } = this;
    const { layers, heads } = run.model;
    const groups = this.shownGroups(state.options.pair);
    const bytes = groups.reduce((sum, group) => sum + run.groups[group]!.length * heads * layers * 4, 0);
    const wanted =
      bytes <= PREFETCH_BYTES
        ? this.heads.model.ranked.map(({ row }) => row)
        : state.table.list === 'heads'
          ? this.heads.model.ranked.slice(0, TABLE_ROWS).map(({ row }) => row)
          : [];
    for (const layer of new Set(wanted)) {
      for (const group of groups) {
        this.numbers.layerDetail(state.options, group, layer);
        if (this.numbers.asking >= AT_ONCE) return;
      }
    }
  }
}

function strongOnes<T extends { value: number }>(strongestFirst: readonly T[]): T[] {
  const least = Math.abs(strongestFirst[0]?.value ?? 0) * RELATED_SHARE;
  return strongestFirst.filter(({ value }) => value !== 0 && Math.abs(value) >= least);
}

/** Clean over corrupted where they differ; the common token, or the two most frequent, elsewhere. */
function positionLabel(column: TokenColumn): ColumnLabel {
  const clean = shortTexts(column.clean);
  const lines = column.differs ? [clean, shortTexts(column.corrupted)] : [clean];
  const varied = column.clean.length > 1;
  const classes = [column.differs ? 'differs' : '', column.shared ? 'shared' : '', varied ? 'varied' : ''].filter((name) => name !== '');
  return { lines: lines[0] === lines[1] ? [clean] : lines, index: columnPlace(column), classes };
}
