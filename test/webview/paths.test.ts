import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { GraphRequest } from '../../src/shared/pathsProtocol';
import { eventually, requests, stageForViews, textIs } from './openView';
import { count, drawn, expectedPage, edgeRows, graph, lastGraphRequest, listed, node, rowsOf, slider, topBox } from './pathsPage';

describe('the paths view in a browser: attribution and thresholds', () => {
  const open = stageForViews();
  const show = async (options = {}): Promise<Page> => {
    const page = await open('Paths', { run: 'gpt2', height: 1100, ...options });
    await drawn(page, 40);
    return page;
  };

  it('explains edges where there are none yet, attributes them as asked, and draws them', async () => {
    const page = await open('Paths', { run: 'ioi' });
    await textIs(page.locator('.paths-explained'), /Edge attribution estimates how much the path/);
    assert.equal(await graph(page).isVisible(), false);
    assert.deepEqual(await requests(page, 'graph'), [], 'there is nothing to ask for');
    assert.equal(await page.getByRole('radio', { name: 'EAP-IG', exact: true }).isChecked(), true, 'as in the palette and on the command line');
    assert.equal(await page.getByLabel('Rule').inputValue(), 'left');
    const steps = page.getByRole('spinbutton', { name: 'Steps' });
    assert.equal(await steps.inputValue(), '5');
    await steps.fill('0');
    await steps.press('Tab');
    assert.equal(await steps.inputValue(), '5', 'there is no run of no steps');
    await steps.fill('8');
    await steps.press('Tab');
    await page.getByLabel('Rule').selectOption('midpoint');
    await page.getByRole('radio', { name: 'Receiver frozen' }).check();
    await page.getByRole('button', { name: 'Attribute edges' }).click();
    await eventually(async () => assert.equal(await graph(page).isVisible(), true));
    assert.deepEqual((await requests(page, 'computePaths')).map(({ method }) => method), [{ layerNorm: 'receiver', integrated: { steps: 8, rule: 'midpoint' } }]);
    await textIs(page.locator('.method-line .caption'), 'EAP-IG (8 steps, midpoint), receiver’s LayerNorm frozen');
    await textIs(page.locator('#live'), 'Edges attributed');
    await drawn(page, 40);
  });

  it('shows how far it is, and stops', async () => {
    const page = await open('Paths', { run: 'ioi' });
    await page.evaluate(() => window.fakeHost.allow(1));
    await page.getByRole('button', { name: 'Attribute edges' }).click();
    await textIs(page.locator('.work'), /Attributing edges.*Going back through the base run · 33 %/);
    assert.equal(await page.locator('.method-form').isVisible(), false);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await textIs(page.locator('#live'), 'Stopped: Attributing edges');
    await eventually(async () => assert.equal(await page.evaluate(() => window.fakeHost.aborted), 1));
    assert.equal(await page.locator('.method-form').isVisible(), true);
    assert.equal(await page.locator('.work').textContent(), '');
  });

  it('says what failed, and can be asked again', async () => {
    const page = await open('Paths', { run: 'ioi' });
    await page.evaluate(() => (window.fakeHost.failing.computePaths = 'Edges cannot be attributed with “align: end”.'));
    await page.getByRole('button', { name: 'Attribute edges' }).click();
    await textIs(page.locator('.work .failure'), 'Attributing edges: Edges cannot be attributed with “align: end”.');
    await page.evaluate(() => (window.fakeHost.failing.computePaths = undefined));
    await page.getByRole('button', { name: 'Attribute edges' }).click();
    await drawn(page, 40);
    assert.equal(await page.locator('.work').textContent(), '');
  });

  it('attributes them again in another way', async () => {
    const page = await show();
    assert.equal(await page.locator('.method-form').isVisible(), false);
    await page.getByRole('button', { name: 'Method…' }).click();
    await page.getByRole('radio', { name: 'All frozen' }).check();
    await page.getByRole('button', { name: 'Attribute again' }).click();
    await textIs(page.locator('.method-line .caption'), 'EAP, every LayerNorm frozen');
    await eventually(async () => assert.notDeepEqual(await listed(page), rowsOf(expectedPage())));
    assert.equal(await page.locator('.method-form').isVisible(), false);
  });

  it('draws the strongest edges and every one of their nodes, and lists them', async () => {
    const page = await show();
    const expected = expectedPage();
    assert.deepEqual(await listed(page), rowsOf(expected));
    await textIs(count(page), '40 of 32,491 edges');
    const names = await page.locator('.graph-node').evaluateAll((nodes) => nodes.map((own) => (own as SVGGElement).dataset['name']));
    assert.deepEqual([...names].sort(), expected.nodes.map(({ name }) => name).sort());
    assert.match((await graph(page).getAttribute('aria-label'))!, /^Graph of paths: 40 of 32,491 edges, \d+ nodes/);
    assert.deepEqual(await page.locator('.column-name').allTextContents(), ['S1', 'IO', 'S2', 'END'].filter((_, column) => expected.nodes.some((own) => own.column === column)));
    const middle = async (name: string): Promise<number> => node(page, name).evaluate((own) => own.getBoundingClientRect().top);
    assert.ok((await middle('logits')) < (await middle('a9.h9')) && (await middle('a9.h9')) < (await middle('a5.h5')) && (await middle('a5.h5')) < (await middle('input')), 'layers go upward');
    assert.equal(await node(page, 'a9.h9').locator('.port').count(), 3);
    assert.deepEqual(await node(page, 'a9.h9').locator('.port.reached text').allTextContents(), ['q']);
    assert.equal(await node(page, 'm0').locator('.port').count(), 0);
    assert.notEqual(await node(page, 'm0').locator('.node-body').getAttribute('d'), await node(page, 'a9.h9').locator('.node-body').getAttribute('d'));
  });

  it('moves the threshold with the number of edges, and the number with the threshold', async () => {
    const page = await show();
    await topBox(page).fill('12');
    await drawn(page, 12);
    await textIs(count(page), '12 of 32,491 edges');
    const weakest = expectedPage({ choose: { top: 12 } }).weakest;
    await eventually(async () => assert.equal(await page.locator('.threshold-value').textContent(), `≥ ${Number(weakest.toPrecision(3))}`));
    await slider(page).focus();
    await slider(page).press('ArrowLeft');
    await eventually(async () => assert.ok('threshold' in (await lastGraphRequest(page)).choose));
    const { choose } = (await lastGraphRequest(page)) as GraphRequest & { choose: { threshold: number } };
    const expected = expectedPage({ choose });
    await drawn(page, expected.edges.length);
    assert.equal(await topBox(page).inputValue(), String(expected.edges.length));
    assert.equal(await slider(page).getAttribute('aria-valuetext'), `${Number(choose.threshold.toPrecision(3))}, ${expected.count} of 32,491 edges`);
    await slider(page).press('End');
    await drawn(page, 1);
    assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['key']), 'threshold', 'the slider keeps the focus');
  });

  it('never draws or asks for more than is smooth, and says so', async () => {
    const page = await show();
    await topBox(page).fill('9000');
    await drawn(page, 2000);
    assert.deepEqual((await lastGraphRequest(page)).choose, { top: 2000 });
    await topBox(page).press('Tab');
    assert.equal(await topBox(page).inputValue(), '2000');
    await textIs(page.locator('.threshold .number-said'), '9,000 asked for: more than 2,000 are not drawn at once.');
    for (const written of ['-3', '0', '2.5', '']) {
      await topBox(page).fill(written);
      assert.equal(await topBox(page).evaluate((box) => (box as HTMLInputElement).validationMessage !== ''), true, written);
      await topBox(page).press('Tab');
      await textIs(page.locator('.threshold .number-said'), 'A whole number from 1 to 2,000 is expected; 2,000 stay drawn.');
      assert.equal(await topBox(page).inputValue(), '2000');
    }
    assert.deepEqual((await lastGraphRequest(page)).choose, { top: 2000 }, 'nothing else was asked for');
    await slider(page).focus();
    await slider(page).press('Home');
    await textIs(count(page), /^3\d,\d{3} of 32,491 edges; the 2,000 strongest are drawn$/);
    await drawn(page, 2000);
    assert.equal(await edgeRows(page).count(), 100);
    await page.getByRole('button', { name: 'Show all 2000' }).click();
    assert.equal(await edgeRows(page).count(), 2000);
  });

  it('asks once a moving threshold rests, and does not draw what comes late', async () => {
    const page = await show();
    const before = (await requests(page, 'graph')).length;
    // In one go, as a pointer moves it: keys sent one by one may come slower than what counts as resting.
    await slider(page).evaluate((range: HTMLInputElement) => {
      for (let i = 0; i < 12; i++) {
        range.stepUp();
        range.dispatchEvent(new Event('input', { bubbles: true }));
      }
    });
    await eventually(async () => assert.ok((await requests(page, 'graph')).length > before));
    assert.ok((await requests(page, 'graph')).length <= before + 4, 'not once per step');
    await page.evaluate(() => window.fakeHost.hold('graph'));
    await topBox(page).fill('7');
    await eventually(async () => assert.deepEqual((await lastGraphRequest(page)).choose, { top: 7 }));
    await topBox(page).fill('19');
    await eventually(async () => assert.deepEqual((await lastGraphRequest(page)).choose, { top: 19 }));
    await page.evaluate(() => window.fakeHost.release());
    await drawn(page, 19);
    await page.waitForTimeout(200);
    await drawn(page, 19);
  });

  it('goes along with the panel’s pair and unit', async () => {
    const page = await show();
    await page.getByLabel('Pairs').selectOption('1');
    await page.getByRole('radio', { name: 'Raw logits' }).check();
    await eventually(async () => assert.deepEqual(await listed(page), rowsOf(expectedPage({ options: { pair: 1, unit: 'raw', of: 'pair' } }))));
    assert.match((await page.locator('.paths-main > .caption').textContent())!, /raw logits.*Mary gives the bag.*EAP, LayerNorm in full/);
  });

  it('says what failed, and tries again', async () => {
    const page = await show();
    await page.evaluate(() => (window.fakeHost.failing.graph = 'The run file is gone.'));
    await topBox(page).fill('5');
    await textIs(page.locator('.paths > .computing'), /The run file is gone\.Try again/);
    await page.evaluate(() => (window.fakeHost.failing.graph = undefined));
    await page.locator('.paths').getByRole('button', { name: 'Try again' }).click();
    await drawn(page, 5);
  });

  it('sorts the table by every column, by pointer and keyboard, and copies it', async () => {
    const page = await show();
    const sortedBy = async (name: string | RegExp): Promise<void> => page.locator('.edge-table').getByRole('button', { name }).click();
    await sortedBy('Score');
    const scores = expectedPage().edges.map(({ score }) => score);
    const shown = async (): Promise<number[]> => edgeRows(page).evaluateAll((rows) => rows.map((row) => Number(row.children[3]!.textContent!.replace('−', '-'))));
    await eventually(async () => assert.ok(Math.abs((await shown())[0]! - Math.max(...scores)) < 1e-3));
    await sortedBy(/Score/);
    await eventually(async () => assert.ok(Math.abs((await shown())[0]! - Math.min(...scores)) < 1e-3));
    assert.equal(await page.locator('.edge-table th[aria-sort="ascending"]').textContent(), 'Score▲');
    const stops = page.locator('.edge-table tbody [tabindex="0"]');
    assert.equal(await stops.count(), 1, 'the rows are one tab stop');
    await stops.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await textIs(page.locator('#live'), /^Selected L\d+H\d+ into/);
    await page.getByRole('button', { name: 'Copy table' }).click();
    await eventually(async () => {
      const lines = String((await requests(page, 'copy'))[0]!.text).split('\n');
      assert.deepEqual([lines[0], lines.length], ['from\tto\tinput\tscore\texact\terror\trank among the drawn', 42]);
    });
  });
});
