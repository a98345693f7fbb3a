import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { NeuronsRequest } from '../../src/shared/panelProtocol';
import type { PatchCell } from '../../src/shared/results';
import type { ViewOptions } from '../../src/shared/views';
import { formatScore } from '../../webview/model/format';
import { axeFindsNothing, eventually, inEveryTheme, requests, stageForViews, sticksOut, textIs } from './openView';
import { screenshot } from './panelPage';
import { sampleRun } from './sampleRuns';
import { exactEffects, measureUnits, neurons } from './sampleViews';

function expected(part: Partial<NeuronsRequest>): string[] {
  const { rows } = neurons(sampleRun('neurons'), { runId: '', options: { pair: 'all', unit: 'normalised' }, from: 0, count: 50, ...part });
  return rows.map(({ layer, neuron, score }) => `L${layer}N${neuron} ${formatScore(score)}`);
}

async function listed(page: Page): Promise<string[]> {
  return page.locator('.neurons tbody tr').evaluateAll((rows) => rows.map((row) => `${row.querySelector('th')!.textContent} ${row.children[2]!.textContent}`));
}

describe('the neurons view in a browser', () => {
  const open = stageForViews();
  const show = async (options = {}): Promise<Page> => {
    const page = await open('Neurons', { run: 'neurons', ...options });
    await page.locator('.neurons tbody tr').first().waitFor();
    return page;
  };

  it('lists the strongest neurons, a page at a time', async () => {
    const page = await show();
    assert.deepEqual(await listed(page), expected({}));
    await textIs(page.locator('.pager > span'), '1–50 of 160');
    const [previous, next] = [page.getByRole('button', { name: 'Previous' }), page.getByRole('button', { name: 'Next' })];
    assert.equal(await previous.getAttribute('disabled'), '');
    await next.focus();
    await page.keyboard.press('Enter');
    await textIs(page.locator('.pager > span'), '51–100 of 160');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Next', 'the focus stays on the button');
    assert.deepEqual(await listed(page), expected({ from: 50 }));
    await textIs(page.locator('#live'), 'Neurons 51–100 of 160');
    await next.click();
    await next.click();
    await textIs(page.locator('.pager > span'), '151–160 of 160');
    assert.equal(await next.getAttribute('disabled'), '');
    await previous.click();
    await textIs(page.locator('.pager > span'), '101–150 of 160');
    assert.equal((await requests(page, 'neurons')).length, 4, 'a page that was here is not asked for again');
  });

  it('of one layer, and of one position named by its token', async () => {
    const page = await show();
    assert.equal(await page.getByLabel('Position', { exact: true }).count(), 0);
    await page.getByLabel('Layer', { exact: true }).selectOption('3');
    await eventually(async () => assert.deepEqual(await listed(page), expected({ layer: 3 })));
    const positions = page.getByLabel('Position', { exact: true });
    assert.match((await positions.locator('option').allTextContents())[14]!, /^13 “ to” \(14 tokens\)$/);
    await positions.selectOption('0 13');
    await eventually(async () => assert.deepEqual(await listed(page), expected({ layer: 3, group: 0, position: 13 })));
    await positions.selectOption('1 10');
    await eventually(async () => assert.deepEqual(await listed(page), expected({ layer: 3, group: 1, position: 10 })));
    await page.getByLabel('Layer', { exact: true }).selectOption('all');
    await eventually(async () => assert.deepEqual(await listed(page), expected({})));
    assert.equal(await positions.count(), 0);
  });

  it('goes along with the panel’s pair and unit', async () => {
    const page = await show();
    await page.getByLabel('Pairs').selectOption('1');
    await page.getByRole('radio', { name: 'Raw logits' }).check();
    await eventually(async () => assert.deepEqual(await listed(page), expected({ options: { pair: 1, unit: 'raw', of: 'pair' } })));
    assert.match((await page.locator('.neurons > .caption').last().textContent())!, /raw logits.*Mary gives the bag/);
  });

  it('measures a neuron and the strongest ones exactly', async () => {
    const page = await show();
    const rows = page.locator('.neurons tbody tr');
    await rows.nth(1).getByRole('button', { name: 'Verify' }).click();
    await eventually(async () => assert.match((await rows.nth(1).locator('.exact').textContent())!, /^[+−]/));
    const [second] = (await requests(page, 'verify')).map(({ cells }) => cells as { units: PatchCell[] });
    const options: ViewOptions = { pair: 'all', unit: 'normalised' };
    const [effect] = exactEffects(measureUnits(sampleRun('neurons'), second!.units), second!.units, options);
    assert.equal(await rows.nth(1).locator('.exact').textContent(), formatScore(effect!));
    const line = page.locator('.neurons .verify');
    await textIs(line.locator('.caption'), /^top 10: 9 more/);
    await page.evaluate(() => window.fakeHost.allow(1));
    await line.getByRole('button', { name: 'Verify top' }).click();
    await textIs(line, /Verifying top 10 of neurons3 of 9 cells/);
    await page.evaluate(() => window.fakeHost.allow(Infinity));
    await textIs(line.locator('.caption'), 'top 10 measured');
    await eventually(async () => assert.equal(await page.locator('.neurons td.exact button').count(), 40));
    await page.getByRole('button', { name: 'Next' }).click();
    await textIs(page.locator('.pager > span'), '51–100 of 160');
    await textIs(line.locator('.caption'), 'top 10 measured');
    await axeFindsNothing(page);
  });

  it('stops measuring, and keeps what was measured', async () => {
    const page = await show();
    await page.evaluate(() => window.fakeHost.allow(1));
    const line = page.locator('.neurons .verify');
    await line.getByRole('button', { name: 'Verify top' }).click();
    await textIs(line, /3 of 10 cells/);
    await line.getByRole('button', { name: 'Cancel' }).click();
    await textIs(line.locator('.caption'), /^top 10: 7 more/);
    assert.equal(await page.evaluate(() => window.fakeHost.aborted), 1);
  });

  it('says why a run has none, and offers them', async () => {
    const page = await open('Neurons', { run: 'ioi' });
    await textIs(page.locator('.neurons'), /This run has no neurons: there are 5 × 32 of them at every position/);
    await page.getByRole('button', { name: 'Run again with neurons' }).click();
    await eventually(async () => assert.deepEqual((await requests(page, 'rerunWith')).map(({ change }) => (change as { sites: string[] }).sites.at(-1)), ['mlp_post']));
    assert.deepEqual(await requests(page, 'neurons'), []);
  });

  it('copies the page', async () => {
    const page = await show();
    await page.getByRole('button', { name: 'Copy table' }).click();
    await eventually(async () => {
      const lines = String((await requests(page, 'copy'))[0]!.text).split('\n');
      assert.deepEqual([lines[0], lines.length], ['rank\tneuron\tscore\texact', 52]);
      assert.match(lines[1]!, /^1\tL\dN\d+\t-?[\d.e-]+\t$/);
    });
  });

  it('says that a page is slow, and does not draw the one that comes late', async () => {
    const page = await show();
    await page.evaluate(() => window.fakeHost.hold('neurons'));
    await page.getByRole('button', { name: 'Next' }).focus();
    await page.keyboard.press('Enter');
    await textIs(page.locator('.neurons .computing'), /Ranking neurons/);
    await page.getByLabel('Layer', { exact: true }).selectOption('1');
    await page.evaluate(() => window.fakeHost.release());
    await eventually(async () => assert.deepEqual(await listed(page), expected({ layer: 1 })));
    await textIs(page.locator('.pager > span'), '1–32 of 32');
  });

  it('says what failed, and tries again', async () => {
    const page = await show();
    await page.evaluate(() => (window.fakeHost.failing.neurons = 'The run file is gone.'));
    await page.getByLabel('Layer', { exact: true }).selectOption('2');
    await textIs(page.locator('.neurons .computing'), /The run file is gone\.Try again/);
    await page.evaluate(() => (window.fakeHost.failing.neurons = undefined));
    await page.locator('.neurons').getByRole('button', { name: 'Try again' }).click();
    await eventually(async () => assert.deepEqual(await listed(page), expected({ layer: 2 })));
  });

  it('has no violations that axe finds, and leaves a screenshot, in every theme', async function () {
    const page = await show();
    await page.getByLabel('Layer', { exact: true }).selectOption('3');
    await textIs(page.locator('.pager > span'), '1–32 of 32');
    await inEveryTheme(page, async (theme) => {
      await axeFindsNothing(page);
      await screenshot(page, `neurons-${theme}`);
    });
  });

  it('in a narrow panel scrolls only its own boxes', async () => {
    const page = await show({ width: 400 });
    await page.getByLabel('Layer', { exact: true }).selectOption('3');
    assert.deepEqual(await sticksOut(page, '.chips > *, .table-scroller > *, .map-scroller > *'), []);
  });
});
