import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { readoutOf, type Readout } from '../../src/shared/readout';
import { componentsOf, orderedComponents } from '../../webview/logits/components';
import { formatPercent } from '../../webview/logits/predictionsView';
import { readoutDifference, sumsOf } from '../../webview/logits/readout';
import { formatScore } from '../../webview/model/format';
import { axeFindsNothing, eventually, inEveryTheme, requests, stageForViews, sticksOut, textIs } from './openView';
import { screenshot } from './panelPage';
import { sampleRun, type SampleName } from './sampleRuns';
import { lens, predictions } from './sampleViews';

function readout(run: SampleName, side: 'clean' | 'corrupted', pair: 'all' | number): Readout {
  return readoutOf(lens(sampleRun(run)).arrays, side, pair)!;
}

describe('the logits view in a browser', () => {
  const open = stageForViews();
  const show = async (run: SampleName, options = {}): Promise<Page> => {
    const page = await open('Logits', { run, ...options });
    await page.locator('.lens-line .mark').first().waitFor();
    return page;
  };

  it('draws the logit lens of both prompts over depth, and reads it by pointer and keys', async () => {
    const page = await show('ioi');
    const [clean, corrupted] = [readout('ioi', 'clean', 'all'), readout('ioi', 'corrupted', 'all')];
    assert.equal(await page.locator('.lens-line.line0 .mark').count(), 11);
    assert.equal(await page.locator('.lens-line.line1 .mark').count(), 11);
    const line = page.locator('.lens-readout');
    await textIs(line, new RegExp(`^after MLP of layer 4clean \\${formatScore(clean.lens[10]!)}.*corrupted ${formatScore(corrupted.lens[10]!)}`));
    assert.match(await page.locator('.logits').innerText(), /final LayerNorm with the scale of the same run\. Raw weights/);
    const heights = await page.$$eval('.lens-line.line0 .mark', (marks) => marks.map((mark) => Number(mark.getAttribute('cy'))));
    assert.ok(heights[10]! < heights[0]!, 'more is higher');

    const plot = page.getByRole('slider', { name: 'Logit lens: depth' });
    const at = (await page.locator('.lens-line.line0 .mark').nth(7).boundingBox())!;
    await page.mouse.move(at.x + 2, at.y + 2);
    await textIs(line, new RegExp(`^after attention of layer 3clean \\${formatScore(clean.lens[7]!)}`));
    await page.mouse.move(0, 0);
    await plot.focus();
    await page.keyboard.press('Home');
    await textIs(line, /^before layer 0/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.equal(await plot.getAttribute('aria-valuetext'), `after MLP of layer 0: clean ${formatScore(clean.lens[2]!)}, corrupted ${formatScore(corrupted.lens[2]!)}`);
  });

  it('has the lens as a table too', async () => {
    const page = await show('ioi');
    await page.getByText('As a table').click();
    const rows = page.locator('.twin tbody tr');
    assert.equal(await rows.count(), 11);
    const { lens: values } = readout('ioi', 'clean', 'all');
    assert.deepEqual((await rows.nth(7).locator('th, td').allTextContents()).slice(0, 3), ['after attention of layer 3', formatScore(values[7]!), formatScore(values[7]! - values[6]!)]);
    await page.locator('.twin').getByRole('button', { name: 'Copy table' }).click();
    await eventually(async () => assert.match(String((await requests(page, 'copy'))[0]!.text), /^Depth\tclean\twritten here\tcorrupted/));
  });

  it('shows what each part writes, and that it adds up to the logit difference', async () => {
    const page = await show('ioi');
    const own = readout('ioi', 'clean', 'all');
    const drawn = await page.$$eval('.direct-heads .cell', (cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value)));
    assert.deepEqual(drawn, Array.from(own.heads.values));
    const sums = sumsOf(own);
    const bars = async (): Promise<string[]> => page.locator('.bar-columns > :last-child li').evaluateAll((items) => items.map((item) => `${item.querySelector('.bar-label')!.textContent} ${item.querySelector('.bar-value')!.textContent}`));
    assert.deepEqual(await bars(), [
      `Heads ${formatScore(sums.heads)}`,
      `MLPs ${formatScore(sums.mlp)}`,
      `Token embedding ${formatScore(sums.embed)}`,
      `Position embedding ${formatScore(sums.position)}`,
      `Biases ${formatScore(sums.bias)}`,
      `Logit difference, clean ${formatScore(sums.total)}`,
    ]);
    const { pairs } = sampleRun('ioi').manifest;
    assert.equal(formatScore(sums.total), formatScore(pairs.reduce((sum, { metric }) => sum + metric.clean, 0) / pairs.length));
    await page.getByRole('radio', { name: 'Clean − corrupted' }).check();
    const difference = sumsOf(readoutDifference(own, readout('ioi', 'corrupted', 'all')));
    await eventually(async () => assert.equal((await bars()).at(-1), `Change of the logit difference ${formatScore(difference.total)}`));
    await page.locator('.direct-heads .cell[data-name="L4H6"]').hover();
    await textIs(page.locator('#direct-tooltip'), /^L4H6.*logits/);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#direct-tooltip').isVisible(), false);
    await page.locator('.direct-heads .cell[data-name="L4H6"]').click();
    await page.getByRole('tab', { name: 'Attention' }).click();
    await textIs(page.locator('.attention-head h2'), 'L4H6');
  });

  it('lists all parts, sorted by any column', async () => {
    const page = await show('ioi');
    const parts = componentsOf(readout('ioi', 'clean', 'all'), readout('ioi', 'corrupted', 'all'));
    const table = page.locator('.logits table').filter({ hasText: 'Part' });
    const names = (): Promise<string[]> => table.locator('tbody th').allTextContents();
    assert.deepEqual(await names(), orderedComponents(parts, { by: 'clean', descending: true }, 15).map(({ name }) => name));
    await table.getByRole('button', { name: 'Difference' }).click();
    assert.deepEqual(await names(), orderedComponents(parts, { by: 'difference', descending: true }, 15).map(({ name }) => name));
    await page.getByRole('button', { name: `Show all ${parts.length}` }).click();
    assert.equal((await names()).length, parts.length);
    await table.getByRole('button', { name: 'Part' }).click();
    assert.deepEqual(await names(), parts.map(({ name }) => name));
    await table.getByRole('button', { name: 'L2H5' }).click();
    await eventually(async () => assert.equal(await page.locator('.direct-heads .cell.selected').getAttribute('data-name'), 'L2H5'));
    assert.equal(await table.getByRole('button', { name: 'L2H5' }).getAttribute('aria-pressed'), 'true');
  });

  it('lists the top predictions with the answers marked', async () => {
    const page = await show('ioi');
    const lists = page.locator('.prediction-list');
    assert.deepEqual(await lists.locator('h3').allTextContents(), ['After the clean prompt', 'After the corrupted prompt']);
    const expected = predictions(sampleRun('ioi'), 0);
    const rows = lists.first().locator('tbody tr');
    assert.deepEqual(await rows.first().locator('th').innerText(), '“ Mary”correct');
    assert.match(await rows.first().innerText(), new RegExp(formatPercent(expected.clean[0]!.probability).replace('.', '\\.')));
    assert.equal(await rows.count(), expected.clean.length);
    await page.getByLabel('Predictions of pair').selectOption('2');
    await textIs(lists.first().locator('tbody tr').first(), /“ James”correct/);
    assert.deepEqual((await requests(page, 'predictions')).map(({ pair }) => pair), [0, 2]);
    const intervened = await show('intervened');
    assert.deepEqual(await intervened.locator('.prediction-list h3').allTextContents(), ['After the clean prompt', 'After the corrupted prompt', 'With the interventions']);
    assert.match((await intervened.locator('.logits-section > .caption').last().textContent())!, /without the interventions/);
  });

  it('goes along with the pair that the panel shows, without asking again', async () => {
    const page = await show('ioi');
    await page.getByLabel('Pairs').selectOption('3');
    await textIs(page.locator('.bar-columns .total .bar-value'), formatScore(readout('ioi', 'clean', 3).lens.at(-1)!));
    await textIs(page.locator('.logits .prediction-list tbody tr').first(), /correct/);
    assert.equal((await requests(page, 'lens')).length, 1);
    assert.equal(await page.getByLabel('Predictions of pair').count(), 0);
  });

  it('has one side where nothing is corrupted', async () => {
    const page = await show('ablated');
    assert.equal(await page.locator('.lens-line').count(), 1);
    assert.equal(await page.getByRole('radio', { name: 'Corrupted', exact: true }).count(), 0);
    assert.deepEqual(await page.locator('.prediction-list h3').allTextContents(), ['After the clean prompt']);
  });

  it('says why there are no numbers, each where they would be, and tries again', async () => {
    const page = await open('Heatmaps', { run: 'ioi' });
    await page.evaluate(() => (window.fakeHost.failing.lens = 'This metric has no answers to read out.'));
    await page.evaluate(() => window.fakeHost.hold('predictions'));
    await page.getByRole('tab', { name: 'Logits' }).click();
    const [lensPlace, predicting] = [page.locator('.logits .computing').first(), page.locator('.logits .computing').last()];
    await textIs(lensPlace, /This metric has no answers to read out\.Try again/);
    await textIs(predicting, /Predicting …/);
    assert.equal(await page.locator('.lens-svg').isVisible(), false);
    await page.evaluate(() => window.fakeHost.release());
    await textIs(page.locator('.prediction-list h3').first(), 'After the clean prompt');
    await page.evaluate(() => (window.fakeHost.failing.lens = undefined));
    await lensPlace.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.lens-line .mark').first().waitFor();
  });

  it('has no violations that axe finds, and leaves a screenshot, in every theme', async function () {
    const page = await show('ioi', { height: 1500 });
    await page.getByText('As a table').click();
    await inEveryTheme(page, () => axeFindsNothing(page));
    await page.getByText('As a table').click();
    await page.locator('.direct-heads .cell[data-name="L3H2"]').hover();
    await inEveryTheme(page, (theme) => screenshot(page, `logits-${theme}`));
  });

  it('leaves a screenshot of GPT-2 small’s size', async () => {
    const page = await show('gpt2', { height: 1650 });
    await screenshot(page, 'logits-gpt2');
  });

  it('in a narrow panel scrolls only its own boxes', async () => {
    const page = await show('gpt2', { width: 400, height: 1900 });
    await page.getByText('As a table').click();
    assert.deepEqual(await sticksOut(page, '.chips > *, .table-scroller > *, .map-scroller > *'), []);
    await page.getByText('As a table').click();
    await page.locator('.logits').evaluate((element) => element.scrollIntoView());
    await screenshot(page, 'logits-narrow');
  });
});
