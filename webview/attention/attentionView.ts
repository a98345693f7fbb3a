import { cellKey } from '../../src/shared/exact';
import type { PatchCell } from '../../src/shared/results';
import { scaleOf, type ViewOptions } from '../../src/shared/views';
import { topOf, VerifyLine } from '../heatmaps/verifyLine';
import { formatScore } from '../model/format';
import { rankCells } from '../../src/shared/ranking';
import { groupOf, type ViewState } from '../model/viewState';
import { Computed, type Computation } from '../computed';
import type { Palette } from '../model/colour';
import { headName } from '../model/describe';
import { Computing } from '../view/computing';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, tableText, type TableHeading } from '../view/sortedTable';
import type { RunParts, View } from '../view/tabs';
import { attentionControls } from './attentionControls';
import { HeadBlock } from './headBlock';
import type { Scroll } from './matrixGeometry';
import { attendedPair, attentionChoice, attributionOptions, firstChoice, followSelection, openingMap, type AttentionChoice } from './ownState';
import { answerBytes, headMatrices, resampledFrom, type LayerAttention, type PatternCell, type PatternKind, type PatternMatrix } from './patterns';
import { scaleLegends } from './scaleLegends';
import { scalesFor } from './scales';
import { strongestCells, type CellOrder, type CellRow } from './strongestCells';
import { attentionCaption, attributionWords, cellPlace, cellValue } from './words';

/** Kept of answers, about; each small one holds a whole layer. */
const MOST_BYTES = 48_000_000;
/** All heads of a layer are asked for at once when their arrays are no larger than this in all. */
const WHOLE_LAYER_BYTES = 400_000;
const TABLE_ROWS = 12;
/** Cells that "Verify top" takes at most. */
const MOST_VERIFIED = 200;

type TableKey = CellOrder['by'] | 'exact';

interface ShownHead {
  head: number;
  matrices: PatternMatrix[];
}

/** Attention of chosen heads in one layer and pair: clean, corrupted, their difference and its attribution, cell by cell. */
export class AttentionView implements View {
  readonly element: HTMLElement;
  private readonly controls = new Slot(el('div', { class: 'toolbar', attributes: { role: 'group', 'aria-label': 'Attention' } }));
  private readonly answers: Computed<LayerAttention>;
  private readonly computing: Computing;
  private readonly readout = new Slot(el('p', { class: 'attention-readout' }));
  private readonly legends = new Slot(el('div', { class: 'scale-legends' }));
  private readonly heads = el('div', { class: 'attention-heads' });
  private readonly blocks = new Map<number, HeadBlock>();
  private readonly words = new Slot(el('p', { class: 'caption' }));
  private readonly table = new Slot(el('section', { class: 'table-section', attributes: { 'aria-label': 'Strongest cells' } }));
  private readonly verifyLine: VerifyLine;
  private readonly caption = el('p', { class: 'caption' });
  /** Until the strongest head is known, the first of the last layer, which is not shown. */
  private choice: AttentionChoice;
  private isChosen: boolean;
  private state: ViewState;
  private palette: Palette;
  private shown: ShownHead[] = [];
  private drawn?: string;
  private pointed?: PatternCell;
  private locked?: PatternCell;
  private order?: { by: TableKey; descending: boolean };
  /** Exact effects of the cells in the table and of what is locked, by `cellKey`. */
  private exact: ReadonlyMap<string, number> = new Map();
  private activeRow?: string;
  /** The pair whose strongest cell has been brought into sight. */
  private revealed?: string;

  constructor(private readonly parts: RunParts) {
    this.state = parts.state;
    this.palette = parts.palette;
    const chosen = attentionChoice(parts.run, parts.state);
    this.isChosen = chosen !== undefined;
    this.choice = chosen ?? firstChoice(parts.run, parts.state.selection, []);
    const longest = Math.max(...parts.run.pairs.map(({ clean }) => clean.length));
    const largestAnswer = Math.max(WHOLE_LAYER_BYTES, answerBytes(1, longest));
    this.answers = new Computed(Math.max(2, Math.floor(MOST_BYTES / largestAnswer)), () => this.render());
    this.computing = new Computing(() => this.computingWhat(), { stop: () => this.answers.stop(), retry: () => this.answers.retry() });
    this.verifyLine = new VerifyLine('pattern cells', parts.numbers, parts.verifying, (top) => parts.change({ top }));
    this.element = el('div', { class: 'attention' }, [
      this.controls.element,
      this.words.element,
      this.computing.element,
      this.readout.element,
      this.legends.element,
      this.heads,
      this.verifyLine.element,
      this.table.element,
      this.caption,
    ]);
  }

  start(): void {
    this.render();
  }

  close(): void {
    this.answers.cancel();
    for (const block of this.blocks.values()) block.close();
  }

  themeChanged(palette: Palette): void {
    this.palette = palette;
    this.drawn = undefined;
    this.render();
  }

  update(state: ViewState): void {
    const before = this.pair;
    const followed = followSelection(this.choice, this.state.selection, state.selection);
    this.isChosen ||= followed !== this.choice;
    this.choice = followed;
    this.state = state;
    if (this.pair !== before) this.locked = this.pointed = undefined;
    this.render();
  }

  escape(): boolean {
    if (!this.locked) return false;
    this.lock(undefined);
    return true;
  }

  private choose(choice: AttentionChoice): void {
    this.isChosen = true;
    const before = this.pair;
    this.choice = choice;
    // What is locked is a place in a pair's prompts.
    if (this.pair !== before) this.locked = this.pointed = undefined;
    this.parts.change({ own: { ...this.state.own, attention: choice } });
    this.render();
  }

  private get pair(): number {
    return attendedPair(this.choice, this.state.options);
  }

  private get attributed(): ViewOptions & { pair: number } {
    return attributionOptions(this.parts.run, this.pair, this.state.options);
  }

  /** The strongest head, where none was chosen. False while that map is on its way. */
  private chooseStrongest(): boolean {
    if (this.isChosen) return true;
    const { run, numbers } = this.parts;
    const { options, selection } = this.state;
    const map = openingMap(run, this.state);
    const asked = map && numbers.estimate(map, options);
    if (asked?.state === 'loading') return false;
    this.isChosen = true;
    this.choice = firstChoice(run, selection, asked?.state === 'ready' ? rankCells(asked.value) : []);
    return true;
  }

  private render(): void {
    if (!this.chooseStrongest()) return;
    const { run } = this.parts;
    const { choice } = this;
    const { options } = this.state;
    this.controls.render(JSON.stringify([choice, options.pair]), () => attentionControls(run, choice, options, (changed) => this.choose(changed)));
    const words = attributionWords(run, this.attributed, options.unit);
    this.words.render(words, () => [words]);
    this.caption.textContent = attentionCaption(run, this.attributed);
    const answer = this.ask();
    this.computing.render(answer);
    this.element.classList.toggle('waiting', answer.state !== 'ready');
    if (answer.state === 'ready') this.draw(answer.value);
  }

  private ask(): Computation<LayerAttention> {
    const { host, run } = this.parts;
    const { layer, heads } = this.choice;
    const { pair } = this;
    const all = Array.from({ length: run.model.heads }, (_, head) => head);
    const length = run.pairs[pair]!.clean.length;
    const wanted = answerBytes(all.length, length) <= WHOLE_LAYER_BYTES ? all : heads;
    return this.answers.ask(`${pair} ${layer} ${wanted.join()}`, (call) => host.attention({ runId: run.id, pair, layer, heads: wanted }, call));
  }

  private computingWhat(): string {
    return `Computing the attention of layer ${this.choice.layer}`;
  }

  private draw(answer: LayerAttention): void {
    const { layer, heads } = this.choice;
    const { pair } = this;
    const { run } = this.parts;
    const { attributed } = this;
    const signature = `${pair} ${layer} ${heads.join()} ${attributed.unit}`;
    if (signature !== this.drawn) {
      this.drawn = signature;
      const scale = scaleOf(run, attributed);
      const sides = { ...run, resampled: resampledFrom(run, pair) };
      this.shown = heads.map((head) => ({ head, matrices: headMatrices(answer, head, run.pairs[pair]!, sides, scale) }));
      this.drawHeads(layer);
      this.drawTable();
      this.mark();
      this.revealStrongest(`${pair}`);
      return;
    }
    this.drawTable();
    this.mark();
  }

  private drawHeads(layer: number): void {
    const all = this.shown.flatMap(({ matrices }) => matrices);
    const scales = scalesFor(all, this.palette);
    for (const [head, block] of this.blocks) {
      if (this.shown.some((shown) => shown.head === head)) continue;
      block.close();
      block.element.remove();
      this.blocks.delete(head);
    }
    this.shown.forEach(({ head, matrices }, place) => {
      const block = this.blocks.get(head) ?? new HeadBlock({ point: (cell) => this.point(cell), press: (cell) => this.press(cell), scrolled: (scroll) => this.follow(scroll) });
      this.blocks.set(head, block);
      if (this.heads.children[place] !== block.element) this.heads.insertBefore(block.element, this.heads.children[place] ?? null);
      block.draw(layer, head, matrices, scales);
    });
    this.legends.render(JSON.stringify([scales, this.palette.colourAt(0), this.palette.colourAt(1)]), () => scaleLegends(all, scales));
  }

  /** Of another pair's prompts the strongest cell comes into sight first; then they stay where the person has scrolled to. */
  private revealStrongest(place: string): void {
    if (place === this.revealed) return;
    this.revealed = place;
    const [strongest] = strongestCells(this.shown, this.strength, { by: this.strength, descending: true }, 1);
    if (strongest && !this.locked) for (const block of this.blocks.values()) block.reveal(strongest);
  }

  /** What cells are strong in: what matters most to the metric, else what is attended to most. */
  private get strength(): PatternKind {
    return this.shown[0]?.matrices.some(({ kind }) => kind === 'attribution') ? 'attribution' : 'clean';
  }

  // Pointing and locking

  private point(cell: PatternCell | undefined): void {
    if (this.pointed?.dest === cell?.dest && this.pointed?.src === cell?.src) return;
    this.pointed = cell;
    if (!this.locked) this.mark();
  }

  private press(cell: PatternCell): void {
    const same = this.locked?.dest === cell.dest && this.locked.src === cell.src;
    this.pointed = cell;
    this.lock(same ? undefined : cell);
  }

  private lock(cell: PatternCell | undefined): void {
    this.locked = cell;
    this.parts.say(cell ? `Locked: ${this.placeOf(cell)}` : 'Unlocked');
    this.drawTable();
    this.mark();
  }

  private mark(): void {
    const cell = this.locked ?? this.pointed;
    for (const block of this.blocks.values()) block.mark({ cell, locked: this.locked !== undefined });
    const hint = this.locked ? 'Locked; Escape or another click unlocks.' : cell ? 'Click to lock.' : 'Point at a cell, or use the arrow keys, to read it in all matrices at once.';
    const measured = cell ? this.shown.map(({ head }) => this.exactAt(head, cell)) : [];
    const idle = this.parts.verifying.job === undefined;
    this.readout.render(JSON.stringify([cell && this.placeOf(cell), hint, measured, this.locked, idle]), () => [
      ...(cell ? [el('strong', { text: this.placeOf(cell) }), ' '] : []),
      el('span', { class: 'caption', text: hint }),
      ...(cell ? this.exactParts(cell, measured, idle) : []),
    ]);
  }

  /** What was measured of a cell, and of one that is locked the way to it. */
  private exactParts(cell: PatternCell, measured: readonly (number | undefined)[], idle: boolean): (string | HTMLElement)[] {
    const { layer } = this.choice;
    const known = this.shown.flatMap(({ head }, i) => (measured[i] === undefined ? [] : [`${this.shown.length > 1 ? `${headName(layer, head)} ` : ''}exact ${formatScore(measured[i])}`]));
    const units = this.shown.flatMap(({ head }, i) => (measured[i] === undefined ? (this.unitOf(head, cell) ?? []) : []));
    const asks = this.locked !== undefined && idle && units.length > 0;
    return [
      ...(known.length > 0 ? [' ', el('strong', { class: 'attention-exact', text: known.join(', ') })] : []),
      ...(asks ? [' ', button('Verify this cell', () => void this.parts.verifying.start({ units }, this.placeOf(cell)), { title: 'Patch it exactly, in the pairs of this length' })] : []),
    ];
  }

  /** The patch that a cell of a head stands for: of all pairs of the pair's length; none where their positions are not in common. */
  private unitOf(head: number, { dest, src }: PatternCell): PatchCell | undefined {
    const { run } = this.parts;
    const group = groupOf(run, this.pair)!;
    if (run.groups[group]!.positions === 'last') return undefined;
    return { site: 'pattern', layer: this.choice.layer, head, group, position: dest, source: src };
  }

  private exactAt(head: number, cell: PatternCell): number | undefined {
    const unit = this.unitOf(head, cell);
    return unit && this.exact.get(cellKey(unit));
  }

  /** In the units of the attribution, of this pair alone. */
  private readExact(rows: readonly CellRow[]): void {
    const { locked } = this;
    const cells = [...rows, ...(locked ? this.shown.map(({ head }) => ({ head, ...locked })) : [])];
    const units = cells.flatMap((cell) => this.unitOf(cell.head, cell) ?? []);
    this.exact = this.parts.numbers.exactEffects(units, this.attributed);
  }

  private placeOf(cell: PatternCell): string {
    const [first] = this.shown[0]!.matrices;
    return cellPlace(first!, cell, true);
  }

  private follow(scroll: Scroll): void {
    for (const block of this.blocks.values()) block.follow(scroll);
  }

  // The table twin

  private drawTable(): void {
    const first = this.shown[0]?.matrices ?? [];
    if (first.length === 0) return this.table.render('', () => []);
    const kinds = first.map(({ kind }) => kind);
    this.order ??= { by: this.strength, descending: true };
    const { order, locked, strength } = this;
    const { by, descending } = order;
    const rows = strongestCells(this.shown, strength, by === 'exact' ? { by: strength, descending: true } : { by, descending }, TABLE_ROWS);
    this.readExact(rows);
    if (by === 'exact') rows.sort((a, b) => (descending ? 1 : -1) * (Math.abs(this.exactAt(b.head, b) ?? 0) - Math.abs(this.exactAt(a.head, a) ?? 0)));
    this.renderVerify();
    const { layer } = this.choice;
    const several = this.shown.length > 1;
    const isMeasurable = this.unitOf(0, { dest: 0, src: 0 }) !== undefined;
    const headings: TableHeading<TableKey>[] = [
      { key: 'dest', text: 'From' },
      { key: 'src', text: 'To' },
      ...(several ? [{ key: 'head' as const, text: 'Head' }] : []),
      ...first.map(({ kind, title }) => ({ key: kind, text: title, numeric: true })),
      ...(isMeasurable ? [{ key: 'exact' as const, text: 'Exact', title: 'By exact patching of this cell alone', numeric: true }] : []),
    ];
    const matrixOf = (head: number, kind: string): PatternMatrix => this.shown.find((shown) => shown.head === head)!.matrices.find((matrix) => matrix.kind === kind)!;
    const placeName = (position: number): string => {
      const { names, text } = first[0]!.tokens[position]!;
      return [names.join('/'), text.trim() || '␣', `(${position})`].filter((part) => part !== '').join(' ');
    };
    const idle = this.parts.verifying.job === undefined;
    const lines = rows.map((row) => ({
      row,
      exact: this.exactAt(row.head, row),
      texts: [placeName(row.dest), placeName(row.src), ...(several ? [headName(layer, row.head)] : []), ...first.map(({ kind }) => cellValue(matrixOf(row.head, kind), row))],
    }));
    const title = strength === 'attribution' ? 'Strongest cells by attribution' : 'Strongest cells';
    this.table.render(JSON.stringify([lines, order, locked, this.drawn, idle]), () => [
      el('div', { class: 'section-title' }, [el('h2', { text: title })]),
      sortedTable<TableKey>({
        caption: title,
        headings,
        order,
        sort: (changed) => {
          this.order = changed;
          this.drawTable();
        },
        rows: lines.map(({ row, texts, exact }) => ({
          key: `${row.head} ${row.dest} ${row.src}`,
          cells: [...texts, ...(isMeasurable ? [this.exactCell(row, exact, idle)] : [])],
          selected: locked?.dest === row.dest && locked.src === row.src,
          press: () => {
            this.press(row);
            if (this.locked) for (const block of this.blocks.values()) block.reveal(row);
          },
        })),
        active: this.activeRow,
        activate: (key) => (this.activeRow = key),
      }),
      el('div', { class: 'actions' }, [button('Copy table', () => this.parts.copy(tableText(headings.map(({ text }) => text), rows.map((row) => [placeName(row.dest), placeName(row.src), ...(several ? [headName(layer, row.head)] : []), ...kinds.map((kind) => row.values[kind] ?? ''), ...(isMeasurable ? [this.exactAt(row.head, row) ?? ''] : [])])), 'Copied the table'))]),
    ]);
  }

  /** What was measured, or the way to it. */
  private exactCell(row: CellRow, exact: number | undefined, idle: boolean): string | HTMLElement {
    if (exact !== undefined) return formatScore(exact);
    const unit = this.unitOf(row.head, row);
    if (!unit || !idle) return '–';
    const verify = (event: Event): void => {
      // The row would lock its cell.
      event.stopPropagation();
      void this.parts.verifying.start({ units: [unit] }, this.placeOf(row));
    };
    return el('button', { class: 'link', text: 'Verify', attributes: { type: 'button', 'aria-label': `Verify ${this.placeOf(row)}`, title: 'Patch this cell exactly', 'data-key': `verify ${row.head} ${row.dest} ${row.src}` }, on: { click: verify } });
  }

  private renderVerify(): void {
    const { top } = this.state;
    const { length } = this.parts.run.pairs[this.pair]!.clean;
    const cells = Math.min(MOST_VERIFIED, (this.shown.length * length * (length + 1)) / 2);
    const strongest = strongestCells(this.shown, this.strength, { by: this.strength, descending: true }, topOf(top, cells));
    const units = strongest.flatMap((cell) => this.unitOf(cell.head, cell) ?? []);
    this.verifyLine.element.hidden = units.length === 0;
    this.verifyLine.render({ strongest: { units }, top, cells });
  }
}
