import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import type { PatchCell } from '../../src/shared/results';
import { headScores, scaleOf, type ViewOptions } from '../../src/shared/views';
import { headMatrices, valueOf, type PatternKind, type PatternMatrix } from '../../webview/attention/patterns';
import { cellValue, formatProbability } from '../../webview/attention/words';
import { formatScore } from '../../webview/model/format';
import { axeFindsNothing, eventually, inEveryTheme, requests, stageForViews, sticksOut, textIs } from './openView';
import { screenshot } from './panelPage';
import { sampleRun, type SampleName } from './sampleRuns';
import { attention, exactEffects, measureUnits } from './sampleViews';

const matrix = (page: Page, head: string, title: string): Locator => page.getByRole('grid', { name: `${head}, ${title}:` });
const values = (page: Page): Locator => page.locator('.matrix-value');
const readout = (page: Page): Locator => page.locator('.attention-readout');

function expected(run: SampleName, pair: number, layer: number, head: number, unit: ViewOptions['unit'] = 'normalised'): PatternMatrix[] {
  const sample = sampleRun(run);
  return headMatrices(attention(sample, pair, layer, [head]), head, sample.manifest.pairs[pair]!, sample.manifest.experiment, scaleOf(sample.manifest, { pair, unit, of: 'pair' }));
}

/** The middle of a cell on the screen, where nothing is scrolled. */
async function placeOf(grid: Locator, dest: number, src: number): Promise<{ x: number; y: number }> {
  const { x, y } = (await grid.boundingBox())!;
  const { cell, label } = await grid.locator('.matrix-extent').evaluate((extent) => ({ cell: Number((extent as HTMLElement).dataset.cell), label: Number((extent as HTMLElement).dataset.label) }));
  return { x: x + label + (src + 0.5) * cell, y: y + label + (dest + 0.5) * cell };
}

describe('the attention view in a browser', () => {
  const open = stageForViews();
  const show = async (run: SampleName, options = {}): Promise<Page> => {
    const page = await open('Attention', { run, ...options });
    await page.locator('.matrix-canvas').first().waitFor();
    return page;
  };
  const pointAt = async (page: Page, grid: Locator, dest: number, src: number): Promise<void> => {
    await grid.scrollIntoViewIfNeeded();
    const { x, y } = await placeOf(grid, dest, src);
    await page.mouse.move(x, y);
  };

  it('shows clean, corrupted, their difference and the attribution of the head selected in the heatmaps', async () => {
    const page = await open('Heatmaps', { run: 'ioi' });
    await page.locator('.map-section.heads .cell[data-name="L3H2"]').click();
    await page.getByRole('tab', { name: 'Attention' }).click();
    await textIs(page.locator('.attention-head h2'), 'L3H2');
    assert.deepEqual(await page.locator('.matrix-title').allTextContents(), ['Clean', 'Corrupted', 'Clean − corrupted', 'Attribution']);
    assert.equal(await page.getByRole('button', { name: 'H2', exact: true }).getAttribute('aria-pressed'), 'true');
    assert.match(await page.locator('.attention').innerText(), /\(clean − corrupted\) × the gradient .* corrupted run; normalised: 0 corrupted … 1 clean of this pair.*rows’ sums do not depend/);
    await page.getByRole('tab', { name: 'Heatmaps' }).click();
    await page.locator('.map-section.heads .cell[data-name="L4H6"]').click();
    await page.getByRole('tab', { name: 'Attention' }).click();
    await textIs(page.locator('.attention-head h2'), 'L4H6');
  });

  it('reads a cell in all matrices at once, with the names of its positions', async () => {
    const page = await show('ioi');
    const matrices = expected('ioi', 0, 4, 6);
    await pointAt(page, matrix(page, 'L4H6', 'Clean'), 13, 1);
    await textIs(readout(page), /^END “ to” \(13\) attends to S1 “ John” \(1\)/);
    assert.deepEqual(await values(page).allTextContents(), matrices.map((own) => cellValue(own, { dest: 13, src: 1 })));
    await pointAt(page, matrix(page, 'L4H6', 'Attribution'), 9, 9);
    await textIs(readout(page), /^S2 “ John” → “ Mary” \(9\) attends to S2 “ John” → “ Mary” \(9\)/);
    assert.deepEqual(await values(page).allTextContents(), matrices.map((own) => cellValue(own, { dest: 9, src: 9 })));
    await pointAt(page, matrix(page, 'L4H6', 'Clean'), 2, 8);
    await textIs(readout(page), /^Point at a cell/);
  });

  it('goes along with the panel’s unit', async () => {
    const page = await show('ioi');
    await page.getByRole('radio', { name: 'Raw logits' }).check();
    const matrices = expected('ioi', 0, 4, 6, 'raw');
    await pointAt(page, matrix(page, 'L4H6', 'Clean'), 13, 1);
    await eventually(async () => assert.deepEqual(await values(page).allTextContents(), matrices.map((own) => cellValue(own, { dest: 13, src: 1 }))));
    assert.match(await page.locator('.attention').innerText(), /corrupted run; raw logits\./);
  });

  it('opens at the strongest head where none was chosen', async () => {
    const page = await show('ioi');
    const { values, columns } = headScores(sampleRun('ioi').manifest, sampleRun('ioi').arrays, 'pattern', 'all', { pair: 'all', unit: 'raw' });
    const strongest = values.reduce((best, value, cell) => (Math.abs(value) > Math.abs(values[best]!) ? cell : best), 0);
    await textIs(page.locator('.attention-head h2'), `L${Math.floor(strongest / columns)}H${strongest % columns}`);
    assert.equal((await requests(page, 'attention')).length, 1, 'nothing else was computed before');
  });

  it('measures a cell of the table, the locked one and the strongest, exactly', async () => {
    const page = await show('ioi');
    const first = page.locator('.attention tbody tr').first();
    await first.getByRole('button', { name: 'Verify' }).click();
    const [head, dest, src] = (await first.getAttribute('data-name'))!.split(' ').map(Number) as [number, number, number];
    await eventually(async () => assert.match((await first.locator('td').last().textContent())!, /^[+−]/));
    const unit = { site: 'pattern', layer: 4, head, group: 0, position: dest, source: src };
    assert.deepEqual((await requests(page, 'verify'))[0]!.cells, { units: [unit] });
    assert.match(await readout(page).innerText(), /Point at a cell/, 'the button does not lock the row');
    const run = sampleRun('ioi');
    const [effect] = exactEffects(measureUnits(run, [unit as PatchCell]), [unit as PatchCell], { pair: 0, unit: 'normalised', of: 'pair' });
    assert.equal(await first.locator('td').last().textContent(), formatScore(effect!), 'of this pair alone, by its own difference');
    await page.locator('.attention tbody tr').nth(1).click();
    await readout(page).getByRole('button', { name: 'Verify this cell' }).click();
    await textIs(readout(page), /exact [+−]/);
    const line = page.locator('.attention .verify');
    await line.getByRole('spinbutton').fill('5');
    await line.getByRole('spinbutton').press('Enter');
    await textIs(line.locator('.caption'), /^top 5: 3 more/);
    await line.getByRole('button', { name: 'Verify top' }).click();
    await textIs(line.locator('.caption'), 'top 5 measured');
    await eventually(async () => assert.equal(await page.locator('.attention tbody tr td:last-child button').count(), 7));
  });

  it('paints each cell in the colour of its value, and nothing above the diagonal', async () => {
    const page = await show('ioi', { theme: 'light' });
    const matrices = expected('ioi', 0, 4, 6);
    const pixel = async (title: string, dest: number, src: number): Promise<number[]> => {
      const grid = matrix(page, 'L4H6', title);
      const [box, { x, y }] = [(await grid.boundingBox())!, await placeOf(grid, dest, src)];
      return grid.evaluate((element, [left, top]) => {
        const drawn = element.querySelector('canvas')!;
        const copy = Object.assign(document.createElement('canvas'), { width: drawn.width, height: drawn.height });
        const context = copy.getContext('2d', { willReadFrequently: true })!;
        context.drawImage(drawn, 0, 0);
        return Array.from(context.getImageData(left!, top!, 1, 1).data);
      }, [Math.round(x - box.x), Math.round(y - box.y)]);
    };
    const strongest = (kind: PatternKind, sign: number): { dest: number; src: number } => {
      const own = matrices.find((candidate) => candidate.kind === kind)!;
      const cells = own.tokens.flatMap((_, dest) => own.tokens.slice(0, dest + 1).map((__, src) => ({ dest, src })));
      return cells.reduce((best, cell) => (sign * valueOf(own, cell) > sign * valueOf(own, best) ? cell : best));
    };
    for (const [kind, title] of [['difference', 'Clean − corrupted'], ['attribution', 'Attribution']] as const) {
      const [up, down] = [strongest(kind, 1), strongest(kind, -1)];
      const [r, , b] = await pixel(title, up.dest, up.src);
      assert.ok(b! > r!, `the most positive of ${kind} is blue`);
      const [red, , blue] = await pixel(title, down.dest, down.src);
      assert.ok(red! > blue!, `the most negative of ${kind} is red`);
    }
    const [strong, weak] = [await pixel('Clean', 0, 0), await pixel('Clean', 13, 5)];
    assert.ok(strong[1]! < weak[1]! - 60, `attention of 1 is dark: ${strong}, ${weak}`);
    assert.equal((await pixel('Clean', 2, 10))[3], 0, 'nothing is drawn above the diagonal');
  });

  it('locks a cell by click; Escape unlocks', async () => {
    const page = await show('ioi');
    const grid = matrix(page, 'L4H6', 'Corrupted');
    await pointAt(page, grid, 13, 3);
    await page.mouse.down();
    await page.mouse.up();
    await textIs(readout(page), /^END “ to” \(13\) attends to IO “ Mary” \(3\) Locked/);
    await pointAt(page, grid, 5, 2);
    await textIs(readout(page), /^END.*Locked/);
    assert.equal(await page.locator('.attention tr.selected').count(), await page.locator('.attention tr[data-name="6 13 3"]').count());
    await page.keyboard.press('Escape');
    await textIs(readout(page), /Click to lock/);
    await textIs(page.locator('#live'), 'Unlocked');
  });

  it('is reached by keyboard: one tab stop per matrix, arrow keys, Enter locks', async () => {
    const page = await show('ioi');
    const grid = matrix(page, 'L4H6', 'Clean');
    await page.locator('.head-chip').last().focus();
    await page.keyboard.press('Tab');
    assert.equal(await grid.evaluate((element) => element === document.activeElement), true);
    await page.keyboard.press('Control+End');
    await textIs(readout(page), /^END “ to” \(13\) attends to END “ to” \(13\)/);
    for (let step = 0; step < 4; step++) await page.keyboard.press('ArrowLeft');
    const [clean, other, difference, attribution] = expected('ioi', 0, 4, 6);
    const at = { dest: 13, src: 9 };
    const spoken = `END “ to” (13) attends to S2 “ John” (9): Clean ${formatProbability(valueOf(clean!, at))}, Corrupted ${formatProbability(valueOf(other!, at))}, Clean − corrupted ${formatScore(valueOf(difference!, at))}, Attribution ${formatScore(valueOf(attribution!, at))}`;
    const active = grid.getByRole('gridcell');
    await textIs(active, spoken);
    assert.equal(await grid.getAttribute('aria-activedescendant'), await active.getAttribute('id'));
    await page.keyboard.press('Enter');
    await textIs(readout(page), /Locked/);
    await page.keyboard.press('ArrowUp');
    await textIs(readout(page), /^“ bag” \(12\) attends to S2.*Locked/);
    await page.keyboard.press('Tab');
    assert.equal(await matrix(page, 'L4H6', 'Corrupted').evaluate((element) => element === document.activeElement), true);
  });

  it('has a table of its strongest cells that sorts, locks and copies', async () => {
    const page = await show('ioi');
    const table = page.locator('.attention table');
    const column = async (index: number): Promise<number[]> => (await table.locator(`tbody tr td:nth-of-type(${index})`).allTextContents()).map((text) => Math.abs(Number(text.replace('−', '-').replace('e−', 'e-'))));
    const byAttribution = await column(5);
    assert.equal(byAttribution.length, 12);
    assert.deepEqual(byAttribution, [...byAttribution].sort((a, b) => b - a));
    await table.getByRole('button', { name: 'Clean', exact: true }).click();
    const byClean = await column(2);
    assert.deepEqual(byClean, [...byClean].sort((a, b) => b - a));
    assert.equal(await table.getByRole('columnheader', { name: 'Clean', exact: true }).getAttribute('aria-sort'), 'descending');
    await table.locator('tbody tr').nth(2).click();
    await textIs(readout(page), /Locked/);
    assert.equal(await table.locator('tr.selected').count(), 1);
    await page.locator('.attention').getByRole('button', { name: 'Copy table' }).click();
    await eventually(async () => assert.match(String((await requests(page, 'copy'))[0]!.text), /^From\tTo\tClean\tCorrupted\tClean − corrupted\tAttribution\tExact\n/));
  });

  it('shows several heads, one above the other, and always one', async () => {
    const page = await show('ioi');
    await page.getByRole('button', { name: 'H5', exact: true }).click();
    await eventually(async () => assert.deepEqual(await page.locator('.attention-head h2').allTextContents(), ['L4H5', 'L4H6']));
    assert.equal((await requests(page, 'attention')).length, 1, 'all heads of a layer come together');
    await page.getByRole('button', { name: 'H6', exact: true }).click();
    await eventually(async () => assert.deepEqual(await page.locator('.attention-head h2').allTextContents(), ['L4H5']));
    await page.getByRole('button', { name: 'H5', exact: true }).click();
    assert.equal(await page.locator('.attention-head').count(), 1);
    await eventually(async () => assert.deepEqual(((await page.evaluate(() => window.fakeHost.state()))?.view as { own: unknown }).own, { attention: { pair: 0, layer: 4, heads: [5] } }));
  });

  it('asks for another layer or pair once, and keeps what it knows', async () => {
    const page = await show('ioi');
    await page.getByLabel('Layer', { exact: true }).selectOption('2');
    await textIs(page.locator('.attention-head h2'), 'L2H6');
    await page.getByLabel('Attention of pair').selectOption('3');
    await textIs(page.locator('.attention > .caption').last(), / James gives the ball alone$/);
    await page.getByLabel('Layer', { exact: true }).selectOption('4');
    await page.getByLabel('Layer', { exact: true }).selectOption('2');
    await textIs(page.locator('.attention-head h2'), 'L2H6');
    const asked = (await requests(page, 'attention')).map(({ pair, layer }) => `${String(pair)} ${String(layer)}`);
    assert.deepEqual(asked, ['0 4', '0 2', '3 2', '3 4']);
  });

  it('goes along with the pair that the panel shows', async () => {
    const page = await show('ioi');
    await page.getByLabel('Pairs').selectOption('1');
    await textIs(page.locator('.attention > .caption').last(), /Mary gives the bag alone$/);
    assert.equal(await page.getByLabel('Attention of pair').count(), 0);
  });

  it('says what it computes, lets it be cancelled, and does not draw what comes late', async () => {
    const page = await show('ioi');
    await page.evaluate(() => window.fakeHost.hold('attention'));
    await page.getByLabel('Layer', { exact: true }).selectOption('1');
    await textIs(page.locator('.attention .computing'), /Computing the attention of layer 1/);
    assert.equal(await page.locator('.attention.waiting').count(), 1);
    await page.locator('.attention').getByRole('button', { name: 'Cancel' }).click();
    await textIs(page.locator('.attention .computing'), /Cancelled\.Try again/);
    await page.getByLabel('Layer', { exact: true }).selectOption('4');
    await textIs(page.locator('.attention-head h2'), 'L4H6');
    await page.evaluate(() => window.fakeHost.release());
    await new Promise((resolve) => setTimeout(resolve, 150));
    await textIs(page.locator('.attention-head h2'), 'L4H6');
  });

  it('says why there is nothing, and tries again', async () => {
    const page = await show('ioi');
    await page.evaluate(() => (window.fakeHost.failing.attention = 'The model is no longer there.'));
    await page.getByLabel('Layer', { exact: true }).selectOption('0');
    await textIs(page.locator('.attention .computing'), /The model is no longer there\./);
    await page.evaluate(() => (window.fakeHost.failing.attention = undefined));
    await page.locator('.attention').getByRole('button', { name: 'Try again' }).click();
    await textIs(page.locator('.attention-head h2'), 'L0H6');
    assert.equal(await page.locator('.attention .computing').textContent(), '');
  });

  it('shows the pattern with the interventions, and none of a side that is not there', async () => {
    const page = await show('intervened');
    assert.deepEqual(await page.locator('.matrix-title').allTextContents(), ['Clean', 'Corrupted', 'With the interventions', 'Clean − corrupted', 'Attribution']);
    const ablated = await show('ablated');
    assert.deepEqual(await ablated.locator('.matrix-title').allTextContents(), ['Clean', 'Attribution']);
    assert.match(await ablated.locator('.attention').innerText(), /the clean pattern × the gradient/);
  });

  it('of a long prompt draws what is in sight, scrolls all matrices as one, and stays quick', async function () {
    const page = await show('long', { reducedMotion: false });
    const first = page.locator('.matrix-scroller').first();
    const { inner, outer } = await first.evaluate((element) => ({ inner: element.scrollHeight, outer: element.clientHeight }));
    assert.ok(inner > 2400 && outer < 600, `${inner} in ${outer}`);
    await first.evaluate((element) => element.scrollTo(300, 1000));
    await eventually(async () => assert.deepEqual(await page.$$eval('.matrix-scroller', (all) => all.map(({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop])), Array(4).fill([300, 1000])));
    const times = await page.evaluate(async () => {
      const scroller = document.querySelector('.matrix-scroller')!;
      const measured: number[] = [];
      let before = performance.now();
      for (let frame = 0; frame < 60; frame++) {
        scroller.scrollTop += 15;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        measured.push(now - before);
        before = now;
      }
      return measured.sort((a, b) => a - b);
    });
    console.log(`      scrolling four matrices of 241 × 241 cells: ${times[30]!.toFixed(0)} ms a frame (median), ${times[56]!.toFixed(0)} ms (95 %)`);
    await first.focus();
    await page.keyboard.press('Control+End');
    await textIs(readout(page), /\(240\) attends to .*\(240\)/);
    await screenshot(page, 'attention-long');
  });

  it('has no violations that axe finds, and leaves a screenshot, in every theme', async function () {
    const page = await show('ioi', { height: 1250 });
    await page.getByRole('button', { name: 'H6', exact: true }).click();
    await pointAt(page, matrix(page, 'L4H6', 'Attribution'), 13, 1);
    await inEveryTheme(page, async (theme) => {
      await axeFindsNothing(page);
      await screenshot(page, `attention-${theme}`);
    });
  });

  it('in a narrow panel scrolls only its own boxes', async () => {
    const page = await show('ioi', { width: 400, height: 1400 });
    assert.deepEqual(await sticksOut(page, '.matrix-scroller > *, .chips > *, .table-scroller > *, .map-scroller > *'), []);
    await page.locator('.attention').evaluate((element) => element.scrollIntoView());
    await screenshot(page, 'attention-narrow');
  });

  it('follows the theme', async () => {
    const page = await show('ioi', { theme: 'dark' });
    const picture = (): Promise<string> => page.locator('.matrix-canvas').first().evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const dark = await picture();
    await page.evaluate(() => window.fakeHost.setTheme('light'));
    await eventually(async () => assert.notEqual(await picture(), dark));
  });
});
