import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { agreementOf, worstEstimates } from '../../src/shared/agreement';
import { exactScores } from '../../src/shared/exact';
import type { PatchCell } from '../../src/shared/results';
import { rankCells } from '../../src/shared/ranking';
import { headScores, positionScores, type MapOf, type ViewOptions } from '../../src/shared/views';
import { formatScore } from '../../webview/model/format';
import { axeFindsNothing, eventually, inEveryTheme, requests, textIs } from './openView';
import { cell, focusedName, live, tooltip, withPanels } from './panelTests';
import { screenshot } from './panelPage';
import { sampleRun } from './sampleRuns';
import { agreement, exactEffects, measure, measureUnits } from './sampleViews';

const ALL: ViewOptions = { pair: 'all', unit: 'normalised' };
const HEADS: MapOf = { site: 'z', over: 'all' };

/** The exact effects that the sample host measures for a map's strongest cells. */
function measuredTop(name: 'ioi' | 'gpt2', top: number, map: MapOf = HEADS): { row: number; column: number; estimate: number; exact: number }[] {
  const run = sampleRun(name);
  const matrix = map.over === 'positions' ? positionScores(run.manifest, run.arrays, map.group, map.site, ALL)! : headScores(run.manifest, run.arrays, map.site, map.over, ALL);
  const cells = rankCells(matrix).slice(0, top);
  const exact = exactScores(measure(run, map, cells), map, ALL);
  return cells.map(({ row, column, value }) => ({ row, column, estimate: value, exact: exact.values[row * exact.columns + column]! }));
}

const headName = ({ row, column }: { row: number; column: number }): string => `L${row}H${column}`;
const heads = (page: Page): Locator => page.locator('.map-section.heads');
const verify = (page: Page): Locator => heads(page).locator('.verify');

async function show(page: Page, values: 'Estimate' | 'Exact' | 'Difference'): Promise<void> {
  await heads(page).getByRole('radio', { name: values }).check();
}

async function measuredNames(page: Page): Promise<string[]> {
  return page.$$eval('.map-section.heads .cell.measured', (cells) => cells.map((element) => (element as HTMLElement).dataset['name']!));
}

describe('exact patching beside the estimate', () => {
  const open = withPanels();

  it('says beforehand what it costs, and measures the strongest cells', async () => {
    const page = await open({ run: 'ioi' });
    await textIs(verify(page).locator('.caption'), '0 of 40 measured · top 10: under a second · all: about 1 s');
    await verify(page).getByRole('spinbutton').fill('0');
    await verify(page).getByRole('spinbutton').press('Enter');
    await textIs(verify(page).locator('.number-said'), 'A whole number from 1 to 40 is expected; 10 stays.');
    assert.equal(await verify(page).getByRole('spinbutton').inputValue(), '10');
    await verify(page).getByRole('spinbutton').fill('4');
    await verify(page).getByRole('spinbutton').press('Enter');
    await verify(page).getByRole('button', { name: 'Verify top' }).click();
    const top = measuredTop('ioi', 4);
    await eventually(async () => assert.deepEqual((await measuredNames(page)).sort(), top.map(headName).sort()));
    await textIs(verify(page).locator('.caption'), '4 of 40 measured · top 4 measured · all: about 1 s');
    await textIs(live(page), 'Measured 4 cells: top 4 of layer × head');
    const strongest = cell(page, headName(top[0]!));
    assert.equal(await strongest.getAttribute('aria-description'), `exact ${formatScore(top[0]!.exact)}`);
    assert.equal(Number(await strongest.getAttribute('data-value')), top[0]!.estimate, 'the map shows the estimate');
    await strongest.hover();
    await textIs(tooltip(page).locator('.card-exact'), `${formatScore(top[0]!.exact)} exact · the estimate is off by ${formatScore(top[0]!.estimate - top[0]!.exact)}`);
    const row = page.locator(`.ranked tr[data-name="${headName(top[1]!)}"]`);
    assert.equal(await row.locator('.exact').textContent(), formatScore(top[1]!.exact));
    assert.equal(await page.locator('.ranked tbody tr').nth(4).locator('.exact').textContent(), '');
    await page.getByRole('button', { name: 'Exact', exact: true }).click();
    const sorted = [...top].sort((a, b) => b.exact - a.exact).map(headName);
    await eventually(async () => assert.deepEqual((await page.$$eval('.ranked tbody tr', (rows) => rows.map((element) => (element as HTMLElement).dataset['name']!))).slice(0, 4), sorted));
  });

  it('turns cells exact while it runs, shows how far it is, and keeps what is there when cancelled', async () => {
    const page = await open({ run: 'gpt2', height: 1100 });
    await page.evaluate(() => window.fakeHost.allow(5));
    await show(page, 'Exact');
    await eventually(async () => assert.equal(await heads(page).locator('.cell.unmeasured').count(), 144));
    await verify(page).getByRole('button', { name: 'Verify all' }).click();
    await textIs(verify(page), /^Verifying all of layer × head\d+ of 144 cells/);
    const measured = (count: number): Promise<void> => eventually(async () => assert.equal(await heads(page).locator('.cell:not(.unmeasured)').count(), count));
    await measured(15);
    await screenshot(page, 'verifying');
    const asked = (await requests(page, 'exactMap')).length;
    await page.evaluate(() => window.fakeHost.allow(40));
    await measured(135);
    const often = (await requests(page, 'exactMap')).filter(({ map }) => (map as MapOf).over === 'all').length - asked;
    assert.ok(often < 30, `the exact map is asked for a few times a second, not ${often} times for 40 steps of some ten milliseconds`);
    await verify(page).getByRole('button', { name: 'Cancel' }).click();
    await textIs(verify(page).locator('.caption'), /^135 of 144 measured · /);
    await page.evaluate(() => window.fakeHost.allow(Infinity));
    // Nothing more may come.
    await page.waitForTimeout(400);
    await measured(135);
    await textIs(live(page), 'Stopped. 135 of 144 cells measured');
    assert.equal(await cell(page, 'L11H11').getAttribute('aria-label'), 'not measured');
  });

  it('counts as measured what is, not the time that was spent', async () => {
    const page = await open({ run: 'gpt2' });
    await page.evaluate(() => window.fakeHost.allow(0));
    await verify(page).getByRole('button', { name: 'Verify all' }).click();
    await textIs(verify(page), /0 of 144 cells · Loading the model/);
    await verify(page).getByRole('button', { name: 'Cancel' }).click();
    await textIs(live(page), 'Stopped. 0 of 144 cells measured');
  });

  it('shows a verification that it did not ask for, and stops it', async () => {
    const page = await open({ run: 'ioi' });
    await page.evaluate(() => window.fakeHost.verifyElsewhere({ cells: 12, done: 3, stage: 'Patching', fraction: 0.4 }));
    await textIs(verify(page), 'Verifying 12 cells3 of 12 cellsCancel');
    await verify(page).getByRole('button', { name: 'Cancel' }).click();
    await eventually(async () => assert.equal((await requests(page, 'cancelVerifying')).length, 1));
    await page.evaluate(() => window.fakeHost.verifyElsewhere(undefined));
    await verify(page).getByRole('button', { name: 'Verify top' }).waitFor();
    assert.deepEqual(await requests(page, 'verify'), []);
  });

  it('lets a verification go on when another run is shown', async () => {
    const page = await open({ run: 'ioi' });
    await page.evaluate(() => window.fakeHost.allow(1));
    await verify(page).getByRole('button', { name: 'Verify top' }).click();
    await textIs(verify(page), /3 of 10 cells/);
    await page.evaluate(() => window.fakeHost.showSample('single'));
    await textIs(verify(page).locator('.caption'), /^0 of 40 measured/);
    await page.evaluate(() => window.fakeHost.allow(Infinity));
    await page.waitForTimeout(600);
    assert.equal(await page.evaluate(() => window.fakeHost.aborted), 0);
    assert.ok(!/Measured|Stopped/.test((await live(page).textContent())!), 'nothing is said of a run that is not shown');
  });

  it('says of no position that it is exactly 0 where interventions have changed the run before it', async () => {
    for (const [run, expected] of [['ioi', /exactly 0/], ['intervened', /^(?!.*first difference)/]] as const) {
      const page = await open({ run });
      await cell(page, 'L0P2').click();
      await textIs(page.locator('.details'), expected);
      await textIs(page.locator('.details .card-title'), /^L0 · 2/);
      assert.equal((await page.locator('.map.tall .column-head.shared').count()) > 0, run === 'ioi');
    }
  });

  it('keeps the colours of a legend inside its border', async () => {
    const page = await open({ run: 'ioi' });
    assert.equal(await heads(page).locator('.legend-bar').evaluate((bar) => getComputedStyle(bar).backgroundOrigin), 'border-box');
  });

  it('shows estimates on their own scale, exact effects and differences on another', async () => {
    const page = await open({ run: 'ioi' });
    await verify(page).getByRole('button', { name: 'Verify top' }).click();
    const top = measuredTop('ioi', 10);
    await eventually(async () => assert.equal((await measuredNames(page)).length, 10));
    const estimate = await heads(page).locator('.legend-ticks').textContent();
    await show(page, 'Exact');
    const [first] = top;
    await eventually(async () => assert.equal(Number(await cell(page, headName(first!)).getAttribute('data-value')), first!.exact));
    const exact = await heads(page).locator('.legend-ticks').textContent();
    assert.notEqual(exact, estimate);
    await textIs(heads(page).locator(':scope > .caption').last(), /^exact patching, colours on the scale of Exact and Difference · denoise/);
    await screenshot(page, 'exact');
    await show(page, 'Difference');
    await eventually(async () => assert.ok(Math.abs(Number(await cell(page, headName(first!)).getAttribute('data-value')) - (first!.estimate - first!.exact)) < 1e-7));
    await textIs(heads(page).locator('.legend-words'), 'estimate too lowestimate too high');
    assert.equal(await heads(page).locator('.cell.unmeasured').count(), 30);
    assert.equal(await heads(page).locator('.legend-ticks').textContent(), exact);
    await show(page, 'Estimate');
    await textIs(heads(page).locator('.legend-ticks'), estimate!);
  });

  it('measures one cell from its details and by the key V', async () => {
    const page = await open({ run: 'ioi' });
    await cell(page, 'L4H1').click();
    await page.locator('.details').getByRole('button', { name: 'Verify this cell' }).click();
    await eventually(async () => assert.deepEqual(await measuredNames(page), ['L4H1']));
    assert.equal(await page.locator('.details').getByRole('button', { name: 'Verify this cell' }).count(), 0);
    await textIs(page.locator('.details .card-exact'), / exact · the estimate is off by /);
    await cell(page, 'L2H5').focus();
    await page.keyboard.press('v');
    await eventually(async () => assert.deepEqual((await measuredNames(page)).sort(), ['L2H5', 'L4H1']));
    assert.equal(await focusedName(page), 'L2H5');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowRight');
    await textIs(live(page), /^layer 2, head 5, \+0\.\d+, rank 3, exact [+−]0\.\d+$/);
  });

  it('measures the heads behind a position, and the positions behind a head, one by one', async () => {
    const page = await open({ run: 'ioi' });
    const details = page.locator('.details');
    await cell(page, 'L4H6').click();
    await details.getByRole('button', { name: /^Verify these \d+/ }).click();
    const items = await details.locator('.behind li').count();
    await eventually(async () => assert.equal(await details.locator('.behind-exact').filter({ hasText: 'exact' }).count(), items));
    const [byPosition] = (await requests(page, 'verify')).map(({ cells }) => (cells as { units: PatchCell[] }).units);
    assert.ok(byPosition!.length === items && byPosition!.every(({ site, layer, head, group, position }) => site === 'z' && layer === 4 && head === 6 && group !== undefined && typeof position === 'number'), JSON.stringify(byPosition));
    const [effect] = exactEffects(measureUnits(sampleRun('ioi'), byPosition!), byPosition!, ALL);
    assert.equal(await details.locator('.behind-exact').first().textContent(), `exact ${formatScore(effect!)}`);
    assert.equal(await details.getByRole('button', { name: /^Verify these/ }).count(), 0);
    await page.locator('.map-section.positions .cell[data-name="L4P13"]').click();
    await details.getByRole('button', { name: /^Verify these \d+/ }).click();
    await eventually(async () => assert.equal((await requests(page, 'verify')).length, 2));
    const { units } = (await requests(page, 'verify'))[1]!.cells as { units: PatchCell[] };
    assert.ok(units.every(({ site, layer, group, position, head }) => site === 'z' && layer === 4 && group === 0 && position === 13 && head !== undefined && head !== 6), 'the one of before is known');
  });

  it('draws what was measured elsewhere, and leaves the rest as it is', async () => {
    const page = await open({ run: 'ioi' });
    await cell(page, 'L3H2').focus();
    await page.evaluate(() => window.fakeHost.measureElsewhere({ map: { site: 'z', over: 'all' }, cells: [{ row: 1, column: 3 }] }));
    await eventually(async () => assert.deepEqual(await measuredNames(page), ['L1H3']));
    assert.equal(await focusedName(page), 'L3H2');
    assert.equal((await requests(page, 'map')).length, 2, 'estimates are not asked for again');
  });

  it('says when it cannot, and measures positions too', async () => {
    const page = await open({ run: 'ioi' });
    await page.evaluate(() => (window.fakeHost.failing = { verify: 'It does not fit in memory: take fewer cells.' }));
    await verify(page).getByRole('button', { name: 'Verify top' }).click();
    await textIs(verify(page).locator('.failure'), 'It does not fit in memory: take fewer cells.');
    await page.evaluate(() => (window.fakeHost.failing = {}));
    const positions = page.locator('.map-section.positions');
    await positions.getByLabel('Site').selectOption('resid_pre');
    await positions.locator('.verify').getByRole('button', { name: 'Verify top' }).click();
    await eventually(async () => assert.equal(await positions.locator('.cell.measured').count(), 10));
    assert.deepEqual((await requests(page, 'verify')).at(-1)!['cells'], { map: { site: 'resid_pre', over: 'positions', group: 0 }, options: ALL, top: 10 });
  });

  it('shows every site, and exports what a map shows', async () => {
    const page = await open({ run: 'ioi' });
    const run = sampleRun('ioi');
    assert.deepEqual(await heads(page).getByLabel('Site').locator('optgroup').evaluateAll((groups) => groups.map((group) => [(group as HTMLOptGroupElement).label, group.children.length])), [['Head every (TransformerLens)', 5], ['Further sites', 1]]);
    await heads(page).getByLabel('Site').selectOption('pattern');
    const pattern = headScores(run.manifest, run.arrays, 'pattern', 'all', ALL);
    await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), pattern.values[4 * 8 + 6]));
    const positions = page.locator('.map-section.positions');
    await positions.getByLabel('Site').selectOption('embed');
    await eventually(async () => assert.deepEqual(await positions.locator('.row-head').allTextContents(), ['Emb']));
    await cell(page, 'L0P9').click();
    await textIs(page.locator('.details .card-title'), /^Emb · 9 /);
    await heads(page).getByRole('button', { name: 'More' }).click();
    await heads(page).getByRole('button', { name: 'Export' }).click();
    await eventually(async () => assert.deepEqual((await requests(page, 'exportMap')).map(({ map }) => map), [{ site: 'pattern', over: 'all' }]));
  });
});

describe('the trust view', () => {
  const open = withPanels();
  const trust = async (page: Page): Promise<void> => page.getByRole('tab', { name: 'Trust' }).click();
  const point = (page: Page, name: string): Locator => page.locator(`.scatter .point[data-name="${name}"]`);

  it('says what to do when nothing is measured, and does it', async () => {
    const page = await open({ run: 'ioi' });
    await trust(page);
    await textIs(page.locator('.trust-message'), /^Nothing of this map is measured yet\./);
    await page.locator('.trust-message').getByRole('button', { name: 'Verify top 10' }).click();
    await eventually(async () => assert.equal(await page.locator('.scatter .point').count(), 10));
    assert.equal(await page.locator('.trust-message').textContent(), '');
  });

  it('prints r, ρ, slope and n, and names the worst estimates and the ranks', async () => {
    const page = await open({ run: 'gpt2', height: 1200 });
    await trust(page);
    await page.locator('.trust-message').getByRole('button', { name: 'Verify top 10' }).click();
    const points = measuredTop('gpt2', 10);
    const { pearson, spearman, slope } = agreementOf(points);
    const text = (value: number): string => value.toFixed(3).replace('-', '−');
    await textIs(page.locator('.figures dl'), `r${text(pearson!)}ρ${text(spearman!)}slope${text(slope!)}n10`);
    const largest = Math.max(...points.map(({ exact }) => Math.abs(exact)));
    const { over, under } = worstEstimates(points.filter(({ estimate, exact }) => Math.abs(estimate - exact) >= largest / 100), 5);
    const worst = (place: number): Promise<string[]> => page.locator('.worst').nth(place).locator('button').allTextContents();
    await eventually(async () => assert.deepEqual([await worst(0), await worst(1)], [over.map(headName), under.map(headName)]));
    const byExact = [...points].sort((a, b) => Math.abs(b.exact) - Math.abs(a.exact));
    const names = await page.locator('.rank-chart .rank-name').allTextContents();
    for (const [place, cellOfRank] of byExact.entries()) assert.ok(names.includes(`${place + 1}  ${headName(cellOfRank)}`), `${headName(cellOfRank)} in ${names.join(', ')}`);
    assert.match((await page.locator('.scatter svg').getAttribute('aria-label'))!, /^Estimate against exact effect of 10 cells: r /);
    await point(page, headName(points[0]!)).hover();
    await textIs(tooltip(page), new RegExp(`^${headName(points[0]!)}.*estimate · rank 1 of 10 measured`));
    await screenshot(page, 'trust');
  });

  it('draws a full sweep, of positions too', async function () {
    const page = await open({ run: 'gpt2', theme: 'light', height: 1500 });
    await trust(page);
    await page.locator('.verify:visible').getByRole('button', { name: 'Verify all' }).click();
    await textIs(page.locator('.figures dl'), /n144$/);
    await point(page, 'L5H5').click();
    await page.mouse.move(5, 5);
    await screenshot(page, 'trust-all');
    await page.getByRole('radio', { name: 'Layer × position' }).check();
    await page.locator('.trust-view').getByLabel('Site', { exact: true }).selectOption('resid_pre');
    await page.locator('.trust-message').getByRole('button', { name: 'Verify top 10' }).click();
    await textIs(page.locator('.figures dl'), /n10$/);
    await textIs(page.locator('.trust-points tbody tr').first(), /^L\d+ · \d+ “/);
    await eventually(async () => assert.equal(await page.locator('.agreement tbody tr').count(), 2));
    assert.equal(await page.locator('.scatter .point').count(), 10);
  });

  it('selects a cell everywhere by its point and by its row', async () => {
    const page = await open({ run: 'ioi' });
    await verify(page).getByRole('button', { name: 'Verify top' }).click();
    await eventually(async () => assert.equal((await measuredNames(page)).length, 10));
    await trust(page);
    await point(page, 'L4H6').click();
    await eventually(async () => assert.equal(await page.locator('.trust-points tr.selected').getAttribute('data-name'), 'L4H6'));
    await textIs(live(page), /^Selected L4H6: estimate \+0\.\d+, exact \+0/);
    await page.locator('.trust-points tr[data-name="L3H2"] button').press('ArrowDown');
    await page.keyboard.press('Enter');
    await eventually(async () => assert.match((await point(page, 'L2H5').getAttribute('class'))!, /selected/));
    await page.getByRole('tab', { name: 'Heatmaps' }).click();
    await eventually(async () => assert.equal(await cell(page, 'L2H5').getAttribute('aria-selected'), 'true'));
  });

  it('lists what a rectangle holds', async () => {
    const page = await open({ run: 'ioi', height: 1100 });
    await trust(page);
    await page.locator('.trust-message').getByRole('button', { name: 'Verify top 10' }).click();
    await eventually(async () => assert.equal(await page.locator('.scatter .point').count(), 10));
    const centre = async (name: string): Promise<{ x: number; y: number }> => {
      let box: Awaited<ReturnType<Locator['boundingBox']>> = null;
      // None while the drawing is being replaced.
      await eventually(async () => assert.ok((box = await point(page, name).boundingBox())));
      const { x, y, width, height } = box!;
      return { x: x + width / 2, y: y + height / 2 };
    };
    const [a, b] = [await centre('L4H6'), await centre('L3H2')];
    await page.mouse.move(Math.min(a.x, b.x) - 14, Math.min(a.y, b.y) - 14);
    await page.mouse.down();
    await page.mouse.move(Math.max(a.x, b.x) + 14, Math.max(a.y, b.y) + 14, { steps: 5 });
    await page.mouse.up();
    await textIs(page.locator('.trust-points h2'), /cells in the rectangle$/);
    const inRectangle = await page.locator('.trust-points h2').textContent();
    await textIs(page.getByRole('region', { name: 'In the rectangle' }), new RegExp(`^In the rectangler.*ρ.*slope.*n${/\d+/.exec(inRectangle!)![0]}$`));
    assert.equal(await page.locator('.figures dl').count(), 2, 'beside those of all');
    const names = await page.$$eval('.trust-points tbody tr', (rows) => rows.map((row) => (row as HTMLElement).dataset['name']));
    assert.ok(names.includes('L4H6') && names.includes('L3H2') && names.length < 10, names.join());
    await page.getByRole('button', { name: 'Show all' }).click();
    await textIs(page.locator('.trust-points h2'), '10 measured cells');
  });

  it('compares the sites, and opens another one’s points', async () => {
    const page = await open({ run: 'ioi', height: 1100 });
    for (const site of ['z', 'v']) {
      await heads(page).getByLabel('Site').selectOption(site);
      // Until the site's own map is there the button is about the one before.
      await eventually(async () => assert.equal((await measuredNames(page)).length, 0));
      await verify(page).getByRole('button', { name: 'Verify top' }).click();
      await eventually(async () => assert.equal((await measuredNames(page)).length, 10));
    }
    await trust(page);
    const rows = page.locator('.agreement tbody tr');
    await eventually(async () => assert.equal(await rows.count(), 2));
    const z = agreement(measure(sampleRun('ioi'), HEADS, measuredTop('ioi', 10)), HEADS, ALL).summary;
    await textIs(rows.first(), `Head output (z)layer × head, all positions10 of 40${z.pearson!.toFixed(3)}${z.spearman!.toFixed(3)}${z.slope!.toFixed(3)}`);
    assert.equal(await rows.nth(1).getAttribute('class'), 'selected', 'the site shown');
    await rows.first().getByRole('button').click();
    await eventually(async () => assert.equal(await rows.first().getAttribute('class'), 'selected'));
    assert.equal(await page.locator('.trust-view').getByLabel('Site', { exact: true }).inputValue(), 'z');
    await page.getByRole('button', { name: 'Export' }).click();
    await eventually(async () => assert.deepEqual((await requests(page, 'exportMap')).map(({ map }) => map), [HEADS]));
  });

  it('has no violations that axe finds in every theme, also beside an editor', async function () {
    const page = await open({ run: 'ioi', height: 1100 });
    await trust(page);
    await page.locator('.trust-message').getByRole('button', { name: 'Verify top 10' }).click();
    await eventually(async () => assert.equal(await page.locator('.scatter .point').count(), 10));
    await textIs(page.locator('.verify:visible .caption'), /^10 of 40 measured/);
    await inEveryTheme(page, async (theme) => {
      await page.setViewportSize({ width: theme === 'light' ? 400 : 1280, height: 1100 });
      await axeFindsNothing(page);
      await screenshot(page, `trust-${theme}`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), true, 'nothing sticks out sideways');
    });
  });
});
