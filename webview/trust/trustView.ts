import { agreementOf, type AgreementSummary } from '../../src/shared/agreement';
import { mapExtent } from '../../src/shared/exact';
import { metricUnit } from '../../src/shared/metrics';
import type { Agreement } from '../../src/shared/panelProtocol';
import { SITES } from '../../src/shared/sites';
import type { MapOf } from '../../src/shared/views';
import { plural } from '../../src/shared/text';
import { tokenColumns } from '../../src/shared/tokenColumns';
import type { Palette } from '../model/colour';
import { columnPlace, headName, positionName, rowLabel } from '../model/describe';
import { viewCaption } from '../model/facts';
import { formatCoefficient, pointSentence, pointsIn, trustPoints, type Area, type TrustPoint } from '../model/trust';
import { columnToken } from '../model/tokens';
import { mapOf, sameSelection, selectedIn, selectionOf, type MapName, type ViewState } from '../model/viewState';
import { headControls, positionControls } from '../heatmaps/mapControls';
import { mapToVerify, VerifyLine } from '../heatmaps/verifyLine';
import { button, el, segmented } from '../view/dom';
import { Slot } from '../view/slot';
import type { RunParts, View } from '../view/tabs';
import { Tooltip } from '../view/tooltip';
import { agreementTable, mapWords } from './agreementTable';
import { pointsTable } from './pointsTable';
import { rankChart } from './rankChart';
import { layerLegend, pointCard, Scatter } from './scatter';
import { worstLists } from './worst';

const TOP = 10;

function figureList({ count, pearson, spearman, slope }: AgreementSummary, counted: string): HTMLElement {
  const figures: [string, string, string][] = [
    ['r', formatCoefficient(pearson), 'Pearson correlation of estimate and exact effect'],
    ['ρ', formatCoefficient(spearman), 'Spearman rank correlation'],
    ['slope', formatCoefficient(slope), 'Least squares of estimate on exact: above 1 the estimates are too strong'],
    ['n', String(count), counted],
  ];
  return el('dl', {}, figures.map(([name, value, title]) => el('div', { attributes: { title } }, [el('dt', { text: name }), el('dd', { text: value })])));
}

/** How far the estimates of a map can be trusted: every cell that was patched exactly, estimate against truth. */
export class TrustView implements View {
  readonly element: HTMLElement;
  private readonly controls = new Slot(el('div', { class: 'toolbar' }));
  private readonly verifyLines: Record<MapName, VerifyLine>;
  private readonly figures = new Slot(el('div', { class: 'figures' }));
  private readonly message = new Slot(el('div', { class: 'trust-message' }));
  private readonly scatter: Scatter;
  private readonly legend = new Slot(el('div'));
  private readonly points = new Slot(el('section', { class: 'trust-points', attributes: { 'aria-label': 'Measured cells' } }));
  private readonly worst = new Slot(el('section', { class: 'trust-worst', attributes: { 'aria-label': 'Worst estimates' } }));
  private readonly ranks = new Slot(el('section', { class: 'trust-ranks', attributes: { 'aria-label': 'Ranks' } }));
  private readonly sites = new Slot(el('section', { class: 'trust-sites', attributes: { 'aria-label': 'Agreement by site' } }));
  private readonly caption = el('p', { class: 'caption' });
  private readonly plot: HTMLElement;
  private readonly tooltip = new Tooltip();
  private state: ViewState;
  private palette: Palette;
  private area?: Area;
  private active?: string;
  private shownMap = '';
  private last?: { agreement: Agreement; points: TrustPoint[] };

  constructor(private readonly parts: RunParts) {
    const { numbers, verifying, change } = parts;
    this.state = parts.state;
    this.palette = parts.palette;
    this.scatter = new Scatter({
      select: (point) => this.select(point),
      point: (point, anchor) => this.point(point, anchor),
      brush: (area) => this.brush(area),
    });
    const line = (name: string): VerifyLine => new VerifyLine(name, numbers, verifying, (top) => change({ top }));
    this.verifyLines = { heads: line('layer × head'), positions: line('layer × position') };
    this.plot = el('div', { class: 'trust-plot' }, [
      el('section', { class: 'trust-scatter', attributes: { 'aria-label': 'Estimate against exact effect' } }, [this.scatter.element, this.legend.element]),
      this.points.element,
      this.worst.element,
      this.ranks.element,
    ]);
    this.element = el('div', { class: 'trust-view' }, [
      this.controls.element,
      ...Object.values(this.verifyLines).map(({ element }) => element),
      this.message.element,
      this.figures.element,
      this.plot,
      this.caption,
      this.sites.element,
      this.tooltip.element,
    ]);
  }

  start(): void {
    this.update(this.state);
  }

  close(): void {
    this.scatter.close();
  }

  themeChanged(palette: Palette): void {
    this.palette = palette;
    this.update(this.state);
  }

  escape(): boolean {
    const open = this.tooltip.shown || this.area !== undefined;
    this.tooltip.hide();
    if (this.area) this.brush(undefined);
    return open;
  }

  update(state: ViewState): void {
    this.state = state;
    const { run, numbers } = this.parts;
    const { map: name } = state.trust;
    const map = mapOf(state, name);
    if (this.shownMap !== JSON.stringify([map, state.options])) this.area = undefined;
    this.shownMap = JSON.stringify([map, state.options]);
    this.renderControls(name);
    this.renderSites(map);
    const asked = numbers.agreement(map, state.options);
    const points = asked.state === 'ready' ? this.pointsOf(asked.value, map) : [];
    this.renderVerify(name, map, points.length);
    this.renderMessage(asked.state === 'failed' ? asked.message : undefined, asked.state === 'loading', points.length, name, map);
    this.plot.hidden = this.figures.element.hidden = this.caption.hidden = points.length === 0;
    if (asked.state !== 'ready' || points.length === 0) return;
    this.renderFigures(asked.value, points);
    this.renderPoints(name, points, asked.value);
    this.caption.textContent = `${SITES[map.site].title}, ${mapWords(map, run)} · ${viewCaption(run, state.options)}`;
  }

  private pointsOf(agreement: Agreement, map: MapOf): TrustPoint[] {
    if (this.last?.agreement === agreement) return this.last.points;
    const { run } = this.parts;
    const columns = map.over === 'positions' ? tokenColumns(run, run.groups[map.group]!, this.state.options.pair) : [];
    const named =
      map.over === 'positions'
        ? { name: positionName, title: (row: number, column: number) => `${rowLabel(map.site, row)} · ${columnPlace(columns[column]!)} ${columnToken(columns[column]!)}` }
        : { name: headName, title: headName };
    const points = trustPoints(agreement.points, named);
    this.last = { agreement, points };
    return points;
  }

  private renderControls(name: MapName): void {
    const { run } = this.parts;
    const { state } = this;
    const change = (part: Partial<ViewState>): void => this.parts.change(part);
    // Points are of tokens also while the heatmap gathers them by role.
    const own = (): HTMLElement[] => (name === 'heads' ? headControls(run, () => this.state, change) : positionControls(run, () => ({ ...this.state, columns: 'tokens' }), change));
    this.controls.render(JSON.stringify([name, state.sites, state.headPositions, state.group, state.options.pair]), () => [
      segmented<MapName>('Map', [{ value: 'heads', label: 'Layer × head' }, { value: 'positions', label: 'Layer × position' }], name, (map) => change({ trust: { map } })),
      ...own(),
      el('span', { class: 'buttons' }, [button('Export', () => this.exportMap(), { title: 'Write estimates and exact effects of this map to a CSV file' })]),
    ]);
  }

  private renderVerify(name: MapName, map: MapOf, measured: number): void {
    const { rows, columns } = mapExtent(this.parts.run, map);
    for (const other of ['heads', 'positions'] as const) this.verifyLines[other].element.hidden = other !== name;
    this.verifyLines[name].render(mapToVerify(map, this.state.options, { cells: rows * columns, measured, top: this.state.top }));
  }

  private renderMessage(failure: string | undefined, loading: boolean, count: number, name: MapName, map: MapOf): void {
    const { verifying, numbers } = this.parts;
    const running = verifying.job !== undefined;
    this.message.render(JSON.stringify([failure, loading, count === 0, running, name, map, this.state.options]), () => {
      if (failure !== undefined) return [el('p', { text: failure }), button('Try again', () => numbers.retry())];
      if (count > 0 || loading || running) return [];
      return [
        el('p', {
          text: `Nothing of this map is measured yet. An attribution is an estimate: exact patching of its strongest cells shows how far it can be trusted.`,
        }),
        button(`Verify top ${TOP}`, () => void verifying.start({ map, options: this.state.options, top: TOP }, `top ${TOP} of ${name === 'heads' ? 'layer × head' : 'layer × position'}`), { secondary: false, key: 'verify first' }),
      ];
    });
  }

  private renderFigures({ summary }: Agreement, points: readonly TrustPoint[]): void {
    const { count } = summary;
    const brushed = this.area && agreementOf(pointsIn(points, this.area));
    this.figures.render(JSON.stringify([summary, brushed]), () => [
      figureList(summary, 'Cells measured'),
      ...(brushed ? [el('section', { class: 'figures-brushed', attributes: { 'aria-label': 'In the rectangle' } }, [el('span', { class: 'caption', text: 'In the rectangle' }), figureList(brushed, 'Cells in the rectangle')])] : []),
      ...(this.parts.run.variant.gradDrop ? [el('p', { class: 'caption', text: 'GradDrop gives magnitudes without sign; exact effects have one.' })] : []),
      ...(count < TOP ? [el('p', { class: 'caption', text: 'Few cells: these figures say little yet.' })] : []),
    ]);
  }

  private renderPoints(name: MapName, points: readonly TrustPoint[], { summary }: Agreement): void {
    const { run } = this.parts;
    const { state, area } = this;
    const selected = selectedIn(state, name);
    const unit = state.options.unit === 'normalised' ? 'normalised' : `raw ${metricUnit(run.metric)}`;
    const label = `Estimate against exact effect of ${plural(points.length, 'cell')}: r ${formatCoefficient(summary.pearson)}, slope ${formatCoefficient(summary.slope)}. The table of measured cells has every number.`;
    const { layers } = run.model;
    this.scatter.draw({ points, layers, palette: this.palette, unit, label, selected, area });
    this.legend.render(`${layers} ${this.palette.dark}`, () => [layerLegend(layers, this.palette)]);
    const listed = area ? pointsIn(points, area) : points;
    this.points.render(JSON.stringify([listed, area !== undefined, selected]), () =>
      pointsTable({ points: listed, brushed: area !== undefined, selected, active: this.active }, { select: (point) => this.select(point), clearBrush: () => this.brush(undefined), activate: (row) => (this.active = row) }),
    );
    this.worst.render(JSON.stringify(points), () => worstLists(points, (point) => this.select(point)));
    const selectedName = points.find(({ row, column }) => selected?.row === row && selected.column === column)?.name;
    this.ranks.render(JSON.stringify([points, selectedName]), () => [el('h3', { text: 'Ranks among the measured cells' }), rankChart(points, selectedName)]);
  }

  private renderSites(shown: MapOf): void {
    const { run, numbers } = this.parts;
    const asked = numbers.agreementTable(this.state.options);
    if (asked.state !== 'ready') return;
    this.sites.render(JSON.stringify([asked.value, shown]), () => agreementTable(asked.value, run, shown, (map) => this.open(map)));
  }

  /** Shows another map, here and in the heatmaps. */
  private open(map: MapOf): void {
    const { sites } = this.state;
    if (map.over === 'positions') this.parts.change({ trust: { map: 'positions' }, group: map.group, sites: { ...sites, positions: map.site } });
    else this.parts.change({ trust: { map: 'heads' }, headPositions: map.over, sites: { ...sites, heads: map.site } });
  }

  private select(point: TrustPoint): void {
    const selection = selectionOf(this.state, this.state.trust.map, point);
    const same = sameSelection(this.state.selection, selection);
    this.parts.change({ selection: same ? undefined : selection });
    this.parts.say(same ? 'Selection cleared' : `Selected ${pointSentence(point)}`);
  }

  private brush(area: Area | undefined): void {
    this.area = area;
    this.update(this.state);
    if (area && this.last) this.parts.say(`${plural(pointsIn(this.last.points, area).length, 'cell')} in the rectangle`);
  }

  private point(point: TrustPoint | undefined, anchor: Element | undefined): void {
    if (point && anchor) this.tooltip.show(anchor, pointCard(point, this.last?.points.length ?? 0));
    else this.tooltip.hide();
  }

  private exportMap(): void {
    const { host, run, say } = this.parts;
    host
      .exportMap({ runId: run.id, options: this.state.options, map: mapOf(this.state, this.state.trust.map) })
      .catch((error: unknown) => say(`Not exported: ${error instanceof Error ? error.message : String(error)}`));
  }
}
