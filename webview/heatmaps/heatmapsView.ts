import { SITES } from '../../src/shared/sites';
import type { MapOf, Matrix } from '../../src/shared/views';
import { plural } from '../../src/shared/text';
import { tokenColumns, type TokenColumn } from '../../src/shared/tokenColumns';
import type { Palette } from '../model/colour';
import { headName, positionName, rowLabel, rowName, siteCaption, type CellDescription } from '../model/describe';
import { viewCaption } from '../model/facts';
import { formatScore } from '../model/format';
import { matrixAsTsv } from '../model/heatmap';
import { gatherRoles, roleColumns } from '../model/roles';
import { signWords } from '../model/signs';
import { columnToken } from '../model/tokens';
import { groupOf, mapOf, rolesOf, sameSelection, selectedIn, selectionOf, toggleLine, type MapName, type MapSort, type Selection, type ViewState } from '../model/viewState';
import { el } from '../view/dom';
import type { RunParts, View } from '../view/tabs';
import { CellDetails } from './cellDetails';
import { columnWords, exactAt, MapModels, type DrawnMap } from './drawnMap';
import type { Cell, Drawing } from './heatmapDrawing';
import { columnsControl, headControls, positionControls, valuesControl } from './mapControls';
import { MapSection } from './mapSection';
import { Pointing } from './pointing';
import { positionLabel, roleLabel } from './positionLabel';
import { SelectionDetails, WIDE } from './selectionDetails';
import { SideTable, TABLE_ROWS } from './sideTable';
import { mapToVerify, VerifyLine } from './verifyLine';

const BEHIND_IN_DETAILS = 10;
const SPOKEN_BEHIND = 5;
/** Of exact effects and differences; estimates have their own. */
const SCALE = 'colours on the scale of Exact and Difference · ';
const MAPS: readonly MapName[] = ['heads', 'positions'];
const TITLES: Record<MapName, string> = { heads: 'Layer × head', positions: 'Layer × position' };

/** The two heatmaps of a run, and the table and the selection's details beside them. */
export class HeatmapsView implements View {
  readonly element: HTMLElement;
  private readonly sections: Record<MapName, MapSection>;
  private readonly models: Record<MapName, MapModels> = { heads: new MapModels(), positions: new MapModels() };
  private readonly verifyLines: Record<MapName, VerifyLine>;
  private readonly drawn: Partial<Record<MapName, DrawnMap>> = {};
  private readonly cells: CellDetails;
  private readonly table: SideTable;
  private readonly details: SelectionDetails;
  private readonly pointing: Pointing;
  private state: ViewState;
  private palette: Palette;
  /** The selection's description is to be spoken once what stands behind it is known. */
  private toSpeak = false;
  private scrollRestored = false;
  private readonly onWidth = (): void => this.update(this.state);
  private readonly onScroll = (): void => this.pointing.afterScroll();

  constructor(private readonly parts: RunParts) {
    const { run, numbers, change, copy } = parts;
    this.state = parts.state;
    this.palette = parts.palette;
    this.cells = new CellDetails(run, numbers);
    this.pointing = new Pointing({
      drawn: (map) => this.drawn[map],
      sort: (map) => this.state.sort[map],
      waiting: (map) => this.sections[map].waiting,
      describe: (map, cell, most) => this.describe(map, cell, most),
      say: parts.say,
    });
    this.table = new SideTable(this.cells, {
      change: (table) => change({ table }),
      select: (cell) => this.select(this.selectionOf(this.state.table.list, cell)),
      copy: (text) => copy(text, 'Copied the table'),
    });
    this.sections = { heads: this.section('heads'), positions: this.section('positions') };
    this.verifyLines = { heads: this.verifyLine('heads'), positions: this.verifyLine('positions') };
    for (const map of MAPS) this.sections[map].addLine(this.verifyLines[map].element);
    const side = el('aside', { class: 'side', attributes: { 'aria-label': 'Strongest cells and selection' } });
    this.details = new SelectionDetails(side, this.sections.heads, {
      copy,
      clear: () => change({ selection: undefined }),
      verify: () => this.verifySelected(),
      verifyBehind: (units, title) => void parts.verifying.start({ units: [...units] }, title),
    });
    side.append(this.table.element, this.details.element);
    this.element = el('div', { class: 'heatmaps-view' }, [
      el('div', { class: 'views' }, [this.sections.heads.element, this.sections.positions.element, side]),
      this.pointing.tooltip.element,
    ]);
    WIDE.addEventListener('change', this.onWidth);
    window.addEventListener('scroll', this.onScroll, { passive: true });
  }

  start(): void {
    this.update(this.state);
  }

  close(): void {
    WIDE.removeEventListener('change', this.onWidth);
    window.removeEventListener('scroll', this.onScroll);
  }

  themeChanged(palette: Palette): void {
    this.palette = palette;
    this.update(this.state);
  }

  update(state: ViewState): void {
    this.state = state;
    for (const map of MAPS) this.draw(map);
    this.renderTable();
    this.renderDetails();
    this.pointing.refresh();
    this.restoreScroll();
    const { heads } = this.drawn;
    if (heads) this.cells.prefetch(heads, state.table.list === 'heads' ? heads.estimate.ranked.slice(0, TABLE_ROWS) : []);
  }

  escape(): boolean {
    const { shown } = this.pointing.tooltip;
    if (shown) this.pointing.hide();
    return shown;
  }

  // The maps

  private section(name: MapName): MapSection {
    const { parts } = this;
    const sortOf = (): MapSort => this.state.sort[name];
    const setSort = (sort: MapSort): void => parts.change({ sort: { ...this.state.sort, [name]: sort } });
    return new MapSection(name, TITLES[name], name === 'heads' ? { row: 'layer', column: 'head', tall: false } : { row: 'layer', column: 'position', tall: true }, {
      point: (cell, anchor, by) => this.pointing.point(name, cell, anchor, by),
      select: (cell) => this.select(this.selectionOf(name, cell)),
      verify: (cell) => {
        if (!this.byRole(name)) this.verify(name, cell);
      },
      sortRows: (column) => {
        this.pointing.pressHeader(name, { row: -1, column });
        setSort({ ...sortOf(), rows: toggleLine(sortOf().rows, column) });
      },
      sortColumns: (row) => {
        this.pointing.pressHeader(name, { row, column: -1 });
        setSort({ ...sortOf(), columns: toggleLine(sortOf().columns, row) });
      },
      sort: setSort,
      scrolled: (left) => {
        this.pointing.afterScroll();
        if (name === 'positions') parts.change({ scroll: { ...this.state.scroll, positions: left } }, false);
      },
      copy: () => this.copyMap(name),
      exportMap: () => this.exportMap(name),
      retry: () => parts.numbers.retry(),
    });
  }

  private verifyLine(name: MapName): VerifyLine {
    const { numbers, verifying, change } = this.parts;
    return new VerifyLine(TITLES[name].toLowerCase(), numbers, verifying, (top) => change({ top }));
  }

  private draw(name: MapName): void {
    const { run, numbers } = this.parts;
    const { state } = this;
    const { options } = state;
    const section = this.sections[name];
    const map = mapOf(state, name);
    const sort = state.sort[name];
    const columns = map.over === 'positions' ? tokenColumns(run, run.groups[map.group]!, options.pair) : [];
    const signature = JSON.stringify([map, options.pair, state.values[name], state.columns]);
    section.renderControls(signature, () => this.controlsOf(name), sort, {
      ofRows: (line) => (name === 'heads' ? `H${line}` : `position ${line}`),
      ofColumns: (layer) => rowLabel(map.site, layer),
    }, !this.byRole(name));
    if (this.byRole(name)) return this.drawRoles(section, sort);
    const estimate = numbers.estimate(map, options);
    const exact = numbers.exact(map, options);
    if (estimate.state !== 'ready') return section.wait(estimate.state === 'failed' ? estimate.message : undefined);
    if (exact.state === 'failed') return section.wait(exact.message);
    if (exact.state === 'loading' && state.values[name] !== 'estimate') return section.wait();
    const drawn = this.models[name].build(
      estimate.value,
      { name, map, options, values: state.values[name], exact: exact.state === 'ready' ? exact.value : undefined, columns },
      sort,
    );
    this.drawn[name] = drawn;
    const { rows, columns: width } = drawn.model.matrix;
    this.verifyLines[name].element.hidden = false;
    this.verifyLines[name].render(mapToVerify(map, options, { cells: rows * width, measured: drawn.measured, top: state.top }));
    this.drawSection(drawn, sort);
  }

  private controlsOf(name: MapName): HTMLElement[] {
    const { run, change } = this.parts;
    const stateOf = (): ViewState => this.state;
    return [
      ...(name === 'heads' ? headControls(run, stateOf, change) : [...positionControls(run, stateOf, change), ...columnsControl(run, stateOf, change)]),
      ...(this.byRole(name) ? [] : [valuesControl(stateOf, name, change)]),
    ];
  }

  /** Layer × named position: what every pair has at its own place, added up. */
  private drawRoles(section: MapSection, sort: MapSort): void {
    const { run, numbers } = this.parts;
    const { options, sites, group } = this.state;
    const columns = roleColumns(run, options.pair);
    const maps = new Map<number, Matrix>();
    for (const pair of new Set(columns.flatMap(({ places }) => places.map((place) => place.pair)))) {
      const asked = numbers.estimate({ site: sites.positions, over: 'positions', group: groupOf(run, pair)! }, { ...options, pair });
      if (asked.state === 'failed') return section.wait(asked.message);
      if (asked.state === 'ready') maps.set(pair, asked.value);
      else section.wait();
    }
    if (maps.size < new Set(columns.flatMap(({ places }) => places.map((place) => place.pair))).size) return;
    const map: MapOf = { site: sites.positions, over: 'positions', group };
    const drawn = this.models.positions.build(gatherRoles(columns, maps), { name: 'positions', map, options, values: 'estimate', columns: [], roles: { columns, maps } }, sort);
    this.drawn.positions = drawn;
    this.verifyLines.positions.element.hidden = true;
    this.drawSection(drawn, sort);
  }

  private drawSection(drawn: DrawnMap, sort: MapSort): void {
    const { run } = this.parts;
    this.sections[drawn.name].draw(
      {
        subtitle: this.subtitle(drawn),
        signs: drawn.values === 'difference' ? { sentence: '', negative: 'estimate too low', positive: 'estimate too high' } : signWords(run, drawn.options),
        caption: this.caption(drawn),
        drawing: this.drawing(drawn, sort),
      },
      this.palette,
    );
  }

  private drawing(drawn: DrawnMap, sort: MapSort): Drawing {
    const { state } = this;
    const { map, model, columns, roles, values, name } = drawn;
    const heads = name === 'heads';
    return {
      model,
      sort,
      rowLabel: (layer) => rowLabel(map.site, layer),
      rowName: (layer) => rowName(map.site, layer),
      columnLabel: heads ? (head) => ({ lines: [], index: `H${head}`, classes: [] }) : roles ? (column) => roleLabel(roles.columns[column]!) : (position) => positionLabel(columns[position]!),
      columnName: heads ? (head) => `head ${head}` : (column) => columnWords(drawn, column),
      cellName: ({ row, column }) => (heads ? headName(row, column) : roles ? `L${row}·${roles.columns[column]!.name}` : positionName(row, column)),
      exactOf: ({ row, column }) => (values === 'estimate' ? exactAt(drawn, row, column) : undefined),
      selected: this.selectedIn(name),
      related: heads ? this.cells.relatedHeads(state.selection, state) : this.cells.relatedPositions(state.selection, state),
    };
  }

  private subtitle({ map, roles }: DrawnMap): string {
    const { title } = SITES[map.site];
    if (roles) return `${title} at the positions that the file names, each pair at its own.`;
    if (map.over === 'positions') return `${title}. ${siteCaption(map.site, this.parts.run)}`;
    return map.over === 'all' ? `${title}, summed over all positions.` : `${title} at the metric’s position.`;
  }

  private caption({ map, options, values, roles }: DrawnMap): string {
    const { run } = this.parts;
    const what = values === 'exact' ? `exact patching, ${SCALE}` : values === 'difference' ? `estimate − exact, ${SCALE}` : '';
    const lengths = !roles && map.over === 'positions' && run.groups.length > 1 && options.pair === 'all' ? run.groups[map.group] : undefined;
    return what + viewCaption(run, options) + (lengths ? ` · the ${plural(lengths.pairs.length, 'pair')} of ${lengths.length} tokens` : '');
  }

  private copyMap(name: MapName): void {
    const drawn = this.drawn[name];
    if (!drawn) return;
    const columnName = (column: number): string => (name === 'heads' ? `H${column}` : drawn.roles ? drawn.roles.columns[column]!.name : columnText(column, drawn.columns[column]!));
    this.parts.copy(matrixAsTsv(drawn.model, (row) => rowLabel(drawn.map.site, row), columnName), 'Copied the map');
  }

  private exportMap(name: MapName): void {
    const { host, run, say } = this.parts;
    host.exportMap({ runId: run.id, options: this.state.options, map: mapOf(this.state, name) }).catch((error: unknown) => say(`Not exported: ${error instanceof Error ? error.message : String(error)}`));
  }

  // Selection, what stands behind it, and its exact effect

  private byRole(name: MapName): boolean {
    return name === 'positions' && this.state.columns === 'roles';
  }

  private selectionOf(name: MapName, cell: Cell): Selection {
    return this.byRole(name) ? { kind: 'role', layer: cell.row, role: rolesOf(this.parts.run)[cell.column]! } : selectionOf(this.state, name, cell);
  }

  private selectedIn(name: MapName): Cell | undefined {
    const { selection } = this.state;
    if (!this.byRole(name)) return selectedIn(this.state, name);
    return selection?.kind === 'role' ? { row: selection.layer, column: rolesOf(this.parts.run).indexOf(selection.role) } : undefined;
  }

  private select(selection: Selection): void {
    const same = sameSelection(this.state.selection, selection);
    this.toSpeak = true;
    this.parts.change({ selection: same ? undefined : selection });
    if (same) this.parts.say('Selection cleared');
  }

  private verify(name: MapName, cell: Cell): void {
    void this.parts.verifying.start({ map: mapOf(this.state, name), cells: [{ row: cell.row, column: cell.column }] }, name === 'heads' ? headName(cell.row, cell.column) : positionName(cell.row, cell.column));
  }

  private verifySelected(): void {
    for (const map of MAPS) {
      const cell = selectedIn(this.state, map);
      if (cell) this.verify(map, cell);
    }
  }

  private describe(map: MapName, cell: Cell, most: number): CellDescription | undefined {
    const drawn = this.drawn[map];
    return drawn && this.cells.of(drawn, cell, most);
  }

  private renderTable(): void {
    const { table } = this.state;
    const { heads, positions } = this.drawn;
    const drawn = table.list === 'heads' ? heads : positions;
    if (heads && drawn) this.table.render(table, heads, positions, this.selectedIn(table.list), viewCaption(this.parts.run, drawn.options));
  }

  private renderDetails(): void {
    const map = this.state.selection?.kind === 'head' ? 'heads' : 'positions';
    const cell = this.selectedIn(map);
    const described = cell && this.describe(map, cell, BEHIND_IN_DETAILS);
    const description = described && this.cells.withExact(described, this.drawn[map]!.options);
    if (description && this.toSpeak && description.behind.state !== 'loading') {
      this.toSpeak = false;
      const { behind } = description;
      const told = behind.state === 'ready' ? `${behind.heading}: ${behind.items.slice(0, SPOKEN_BEHIND).map(({ label, value }) => `${label} ${formatScore(value)}`).join(', ')}` : behind.message;
      this.parts.say(`Selected ${description.sentence}. ${told}`);
    }
    this.details.render(description, this.sections[description ? map : 'heads'], this.byRole(map) || this.parts.verifying.job !== undefined);
  }

  private restoreScroll(): void {
    if (this.scrollRestored || !this.drawn.heads || !this.drawn.positions) return;
    this.scrollRestored = true;
    const { page, positions } = this.state.scroll;
    const { heatmap } = this.sections.positions;
    const [strongest] = this.drawn.positions.model.ranked;
    if (positions > 0) heatmap.scrollLeft = positions;
    // Of a long prompt the beginning is the same in both runs, and empty.
    else if (strongest && strongest.value !== 0) heatmap.showColumn(strongest.column);
    if (page > 0) window.scrollTo({ top: page });
  }
}

function columnText(position: number, column: TokenColumn): string {
  return `${position} ${columnToken(column)}`;
}
