import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { axeFindsNothing, eventually, inEveryTheme, requests, stageForViews, sticksOut, textIs } from './openView';
import { screenshot } from './panelPage';

const chart = (page: Page): Locator => page.getByRole('slider', { name: /^Faithfulness of circuits over/ });
const section = (page: Page): Locator => page.getByRole('region', { name: 'Curve over budgets' });

describe('the circuits view in a browser: the curve, and how it looks', () => {
  const open = stageForViews();
  const measured = async (options = {}): Promise<Page> => {
    const page = await open('Circuits', { run: 'gpt2', height: 1100, ...options });
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await page.locator('.curve-point').first().waitFor();
    return page;
  };
  /** A circuit of every kind of figure, with another one beside it. */
  const filled = async (options = {}): Promise<Page> => {
    const page = await measured(options);
    for (const edges of [300, 900]) {
      await page.getByRole('spinbutton', { name: 'Edges', exact: true }).fill(String(edges));
      await page.getByRole('button', { name: 'Extract', exact: true }).click();
      await eventually(async () => assert.equal(await page.locator('.circuit-kept tbody tr').count(), edges === 300 ? 1 : 2));
    }
    await page.getByLabel('Overlap with').selectOption({ label: 'top 300' });
    await page.getByRole('button', { name: 'Stability' }).click();
    await page.getByRole('button', { name: 'Minimality' }).click();
    await eventually(async () => assert.ok((await page.locator('.circuit-losses tbody tr').count()) > 10));
    await textIs(page.locator('.circuit-stability'), /71 %/);
    return page;
  };

  it('is measured over MIB’s budgets beside random circuits, with its areas in words and a table', async () => {
    const page = await open('Circuits', { run: 'gpt2' });
    assert.equal(await section(page).locator('.curve-chart').isVisible(), false);
    await textIs(section(page).locator('> .caption'), /At MIB’s 10 budgets, .*: 191 circuits to run\. Random circuits are drawn from seed 0, the same each time/);
    await section(page).getByRole('radio', { name: 'Greedy' }).check();
    await page.getByRole('spinbutton', { name: 'Random circuits per budget' }).fill('7');
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await page.locator('.curve-point').first().waitFor();
    assert.deepEqual((await requests(page, 'circuitCurve')).map(({ by, random, ablation, options }) => [by, random, ablation, options]), [['greedy', 7, 'corrupted', { pair: 'all', unit: 'normalised' }]]);
    assert.deepEqual([await page.locator('.curve-point').count(), await page.locator('.random-band').count(), await page.locator('.random-mean').count(), await page.locator('.curve-line').count()], [10, 1, 1, 2]);
    await textIs(section(page).locator('.figures'), /MIB’s areasCPR0\.\d{3}CMD0\.\d{3}/);
    await textIs(section(page).locator('.curve-figures > .caption').last(), /^Edges greedily from the logits up, by the mean scores of 8 pairs \(EAP, LayerNorm in full\), pruned; all others corrupted\. Logit difference, mean of 8 pairs\. Beside it 7 random circuits/);
    const lines = section(page).locator('.curve-table tbody tr');
    assert.equal(await lines.count(), 10);
    assert.equal(await lines.first().locator('th').textContent(), '0.1 %');
    await section(page).getByRole('button', { name: 'Faithfulness' }).click();
    assert.match((await lines.first().locator('th').textContent())!, /^(20|50|100) %$/);
    await section(page).getByRole('button', { name: 'Copy table' }).click();
    await eventually(async () => assert.equal(String((await requests(page, 'copy'))[0]!.text).split('\n').length, 12));
  });

  it('leaves the random circuits out where none are wanted', async () => {
    const page = await open('Circuits', { run: 'gpt2' });
    await page.getByRole('spinbutton', { name: 'Random circuits per budget' }).fill('0');
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await page.locator('.curve-point').first().waitFor();
    assert.equal(await page.locator('.random-band').count(), 0);
    assert.equal(await section(page).locator('.curve-key.random').isVisible(), false);
  });

  it('says which budgets come to no edge in a small model', async () => {
    const page = await open('Circuits', { run: 'tiny' });
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await textIs(section(page).locator('.curve-left-out'), '2 of MIB’s 10 budgets come to no edge of 479 and are left out: the areas start at 0.5 % and do not compare with those of larger models.');
    assert.equal(await page.locator('.curve-point').count(), 8);
    assert.match((await section(page).locator('> .caption').textContent())!, /^At 8 of MIB’s 10 budgets/);
  });

  it('is one tab stop: arrow keys go from budget to budget, the pointer to the nearest', async () => {
    const page = await measured();
    await chart(page).focus();
    assert.match((await chart(page).getAttribute('aria-valuetext'))!, /^100 % of the edges, 32,491 edges: faithfulness 1\.000; random circuits/);
    await page.keyboard.press('Home');
    assert.match((await chart(page).getAttribute('aria-valuetext'))!, /^0\.1 % of the edges, 32 edges/);
    await textIs(page.getByRole('tooltip'), /^0\.1 % · 32 edges0\.039 faithfulnessRandom circuits: mean 0\.000, 0\.000 to 0\.001$/);
    await page.keyboard.press('ArrowRight');
    assert.equal(await chart(page).getAttribute('aria-valuenow'), '1');
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('tooltip').isVisible(), false);
    const box = (await chart(page).boundingBox())!;
    await page.mouse.move(box.x + box.width - 20, box.y + 60);
    await textIs(page.getByRole('tooltip'), /^100 %/);
    await page.mouse.move(box.x + box.width / 2, box.y - 30);
    await eventually(async () => assert.equal(await page.getByRole('tooltip').isVisible(), false));
  });

  it('marks the kept circuits of the same ablation, and follows the theme', async () => {
    const page = await filled();
    assert.equal(await page.locator('.curve-mark').count(), 2);
    const stroke = async (): Promise<string> => page.locator('.curve-path').evaluate((path) => getComputedStyle(path).stroke);
    const inDark = await stroke();
    await page.evaluate(() => window.fakeHost.setTheme('light'));
    await eventually(async () => assert.notEqual(await stroke(), inDark));
  });

  it('stops, and says what failed', async () => {
    const page = await open('Circuits', { run: 'gpt2' });
    await page.evaluate(() => window.fakeHost.allow(1));
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await textIs(section(page).locator('.work'), /Measuring circuits over budgets.*1 circuit run/);
    await section(page).getByRole('button', { name: 'Cancel' }).click();
    await eventually(async () => assert.equal(await page.evaluate(() => window.fakeHost.aborted), 1));
    await page.evaluate(() => window.fakeHost.allow(Infinity));
    await page.evaluate(() => (window.fakeHost.failing.circuitCurve = 'There is not enough memory.'));
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await textIs(section(page).locator('.failure'), 'Measuring circuits over budgets: There is not enough memory.');
  });

  it('has no violations that axe finds, and leaves screenshots, in every theme', async function () {
    const page = await filled({ height: 1500 });
    await page.getByRole('button', { name: 'Remove…' }).click();
    await page.evaluate(() => document.querySelector('.circuits')!.scrollIntoView());
    await inEveryTheme(page, async (theme) => {
      await axeFindsNothing(page);
      await screenshot(page, `circuits-${theme}`);
    });
    await page.evaluate(() => document.querySelector('.circuit-curve')!.scrollIntoView());
    await chart(page).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await inEveryTheme(page, (theme) => screenshot(page, `circuits-curve-${theme}`));
  });

  it('without edges has nothing that axe finds, with the form of the paths view beside it', async function () {
    const page = await open('Paths', { run: 'ioi' });
    await page.getByRole('radio', { name: 'Receiver frozen' }).check();
    await page.getByRole('tab', { name: 'Circuits' }).click();
    await page.locator('.circuits-without').waitFor();
    await page.locator('.paths').waitFor({ state: 'hidden' });
    await page.getByRole('radio', { name: 'All frozen' }).check();
    await axeFindsNothing(page);
    await screenshot(page, 'circuits-without-edges');
    await page.getByRole('tab', { name: 'Paths' }).click();
    await page.locator('.circuits-without').waitFor({ state: 'hidden' });
    assert.equal(await page.getByRole('radio', { name: 'Receiver frozen' }).isChecked(), true, 'the two forms do not meddle');
  });

  it('shows when a circuit was kept without scrolling, in a panel of 750 pixels', async function () {
    const page = await filled({ width: 750 });
    await page.evaluate(() => {
      for (const origin of document.querySelectorAll('.circuit-origin')) origin.textContent = 'five percent (2), refined by ACDC at 0.05 (26 of 75 edges removed)';
      for (const name of document.querySelectorAll('.circuit-kept tbody .name .link')) name.textContent = 'five percent (2), refined';
    });
    const room = await page.locator('.circuit-kept .table-scroller').evaluate(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]);
    assert.ok(room[0]! <= room[1]!, `the table is ${room[0]} wide in ${room[1]}`);
  });

  for (const width of [360, 520, 900]) {
    it(`in a panel of ${width} pixels scrolls only its own boxes`, async function () {
      const page = await filled({ width });
      assert.deepEqual(await sticksOut(page, '.chips > *, .table-scroller > *, .tabs > *'), []);
      await page.evaluate(() => document.querySelector('.circuits')!.scrollIntoView());
      await screenshot(page, `circuits-narrow-${width}`);
      await page.evaluate(() => document.querySelector('.circuit-curve')!.scrollIntoView());
      await screenshot(page, `circuits-narrow-curve-${width}`);
    });
  }
});
