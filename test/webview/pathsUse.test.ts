import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually, requests, stageForViews, textIs } from './openView';
import { count, drawn, expectedPage, edgeRows, graph, lastGraphRequest, listed, node, pointOnEdge, rowsOf, shape, topBox } from './pathsPage';
import { formatScore } from '../../webview/model/format';
import { edgeEnds, titleOf } from '../../webview/paths/pathText';

describe('the paths view in a browser: looking closer', () => {
  const open = stageForViews();
  const show = async (options = {}): Promise<Page> => {
    const page = await open('Paths', { run: 'gpt2', height: 1100, ...options });
    await drawn(page, 40);
    return page;
  };
  const live = (page: Page) => page.locator('#live');
  const tooltip = (page: Page) => page.getByRole('tooltip');
  const transform = async (page: Page): Promise<string> => page.locator('.node-layer').evaluate((layer) => (layer as SVGElement).style.transform);

  it('focuses a node: only its inputs, port by port, and its outputs; walks on from there, and back', async () => {
    const page = await show();
    await node(page, 'a8.h6').click();
    await eventually(async () => assert.deepEqual(await listed(page), rowsOf(expectedPage({ focus: ['a8.h6'] }))));
    const sections = page.locator('.node-table h3');
    assert.deepEqual(await sections.allTextContents(), ['Inputs to q', 'Inputs to k', 'Inputs to v', 'Outputs']);
    const values = page.getByRole('region', { name: 'What reaches the value input of L8H6' });
    const rows = await values.locator('tbody tr').evaluateAll((lines) => lines.map((line) => `${line.children[0]!.textContent} ${line.children[1]!.textContent}`));
    assert.deepEqual(rows.slice(0, 3), ['L5H5 +0.140', 'L6H9 +0.0903', 'L3H0 +0.0501']);
    await textIs(values.locator('.node-table-title'), /^Inputs to v\d+ of 105 edges drawn$/);
    await values.getByRole('button', { name: 'L5H5' }).click();
    await eventually(async () => assert.deepEqual((await lastGraphRequest(page)).focus, ['a5.h5']));
    assert.deepEqual(await page.locator('.crumbs li').allTextContents(), ['Whole graph', 'L8H6', 'L5H5']);
    await page.getByRole('button', { name: 'Back' }).click();
    await eventually(async () => assert.deepEqual(await listed(page), rowsOf(expectedPage({ focus: ['a8.h6'] }))));
    await page.keyboard.press('Escape');
    await eventually(async () => assert.deepEqual(await listed(page), rowsOf(expectedPage())));
    assert.equal(await page.locator('.node-table').count(), 0);
  });

  it('says of nodes and edges under the pointer what they are', async () => {
    const page = await show();
    await node(page, 'a9.h9').hover();
    await textIs(tooltip(page), /^L9H9\+0\.259 normalised, the node’s own attribution.*L8H6 → L9H9 q {2}\+0\.191/);
    const at = await pointOnEdge(page, 1);
    await page.mouse.move(at.x, at.y);
    await textIs(tooltip(page), /^L10H7 → Logits/);
    assert.match((await tooltip(page).textContent())!, /^L10H7 → Logits−0\.24\d normalised · rank 2 of the drawnEstimate; not measured exactly\.$/);
    await page.mouse.click(at.x, at.y);
    await textIs(page.getByRole('region', { name: 'Selected edge' }), /L10H7 → Logits−0\.24/);
    assert.equal(await edgeRows(page).locator('xpath=self::tr[contains(@class,"selected")]').count(), 1);
    assert.equal(await graph(page).getAttribute('data-highlighted'), '1');
  });

  it('is walked by keyboard along nodes and edges, and described as it goes', async () => {
    const page = await show();
    await graph(page).focus();
    await page.keyboard.press('End');
    await textIs(live(page), /^Logits, \+1\.00, \d+ inputs and 0 outputs drawn$/);
    await page.keyboard.press('ArrowDown');
    await textIs(live(page), 'L9H9 into Logits, +0.311, rank 1 of the drawn, not measured');
    await textIs(tooltip(page), /^L9H9 → Logits/);
    await page.keyboard.press('ArrowRight');
    await textIs(live(page), /^L10H7 into Logits, −0\.24\d, rank 2 of the drawn, not measured$/);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowDown');
    await textIs(live(page), /^L9H9, \+0\.259/);
    assert.equal(await page.locator('.graph-node.active').getAttribute('data-name'), 'a9.h9');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await textIs(live(page), /^Selected L8H6 into the query input of L9H9/);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await eventually(async () => assert.deepEqual((await lastGraphRequest(page)).focus, ['a8.h6']));
    assert.equal(await graph(page).evaluate((stage) => stage === document.activeElement), true, 'the graph keeps the focus');
    await page.keyboard.press('Escape');
    await eventually(async () => assert.deepEqual(await listed(page), rowsOf(expectedPage())));
  });

  it('zooms and pans by buttons, keyboard, wheel and drag, and fits again', async () => {
    const page = await show();
    const fitted = await transform(page);
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await eventually(async () => assert.notEqual(await transform(page), fitted));
    await page.getByRole('button', { name: 'Fit' }).click();
    await eventually(async () => assert.equal(await transform(page), fitted));
    await graph(page).focus();
    for (const key of ['+', '-', 'Shift+ArrowLeft', 'Shift+ArrowUp']) {
      const before = await transform(page);
      await page.keyboard.press(key);
      await eventually(async () => assert.notEqual(await transform(page), before));
    }
    await page.keyboard.press('0');
    await eventually(async () => assert.equal(await transform(page), fitted));
    const box = (await graph(page).boundingBox())!;
    const corner = { x: box.x + 12, y: box.y + 12 };
    await page.mouse.move(corner.x, corner.y);
    await page.mouse.down();
    await page.mouse.move(corner.x + 80, corner.y + 30, { steps: 4 });
    await page.mouse.up();
    await eventually(async () => assert.notEqual(await transform(page), fitted));
    assert.deepEqual((await lastGraphRequest(page)).focus, undefined, 'a drag presses nothing');
    const dragged = await transform(page);
    await page.mouse.wheel(0, -200);
    await eventually(async () => assert.notEqual(await transform(page), dragged));
  });

  it('leaves the wheel to the page until the graph is in use', async () => {
    const page = await show({ height: 700 });
    const fitted = await transform(page);
    await graph(page).hover({ position: { x: 8, y: 8 } });
    const before = await page.evaluate(() => scrollY);
    await page.mouse.wheel(0, 120);
    await eventually(async () => assert.ok((await page.evaluate(() => scrollY)) > before));
    assert.equal(await transform(page), fitted);
  });

  it('shares its node with the heatmaps, both ways', async () => {
    const page = await show();
    await node(page, 'a9.h9').click();
    await page.getByRole('tab', { name: 'Heatmaps' }).click();
    await eventually(async () => assert.equal(await page.locator('.cell[data-name="L9H9"]').getAttribute('aria-selected'), 'true'));
    await page.locator('.cell[data-name="L8H10"]').click();
    await page.getByRole('tab', { name: 'Paths' }).click();
    assert.equal((await lastGraphRequest(page)).focus?.[0], 'a9.h9', 'it stays until it is asked for');
    await page.getByRole('button', { name: 'Focus L8H10' }).click();
    await eventually(async () => assert.deepEqual(await listed(page), rowsOf(expectedPage({ focus: ['a8.h10'] }))));
  });

  it('finds the strongest paths between two nodes, and shows one alone', async () => {
    const page = await show();
    const panel = page.getByRole('region', { name: 'Strongest paths' });
    await panel.getByLabel('From').selectOption('a5.h5');
    await panel.getByLabel('To').selectOption('logits');
    const count = panel.getByRole('spinbutton', { name: 'Paths' });
    await count.fill('3');
    await count.press('Enter');
    await count.fill('0');
    await count.press('Enter');
    await eventually(async () => assert.match((await panel.locator('.number-said').textContent())!, /^A whole number from 1 to \d+ is expected; 3 stays\.$/));
    assert.equal(await count.inputValue(), '3');
    await panel.getByRole('button', { name: 'Find paths' }).click();
    const between = { from: 'a5.h5', to: 'logits', paths: 3 };
    const expected = expectedPage({ between });
    const ends = expected.edges.map((edge) => ({ ...edgeEnds(shape, edge), score: edge.score }));
    const portInto = (from: string | undefined, to: string): string => {
      const port = ends.find((edge) => edge.from === from && edge.to === to)?.port;
      return port ? ` ${port}` : '';
    };
    await eventually(async () => assert.deepEqual(await panel.locator('.path-list button').allTextContents(), expected.paths!.map(({ nodes }) => nodes.map((name, place) => titleOf(shape, name) + portInto(nodes[place - 1], name)).join(' → '))));
    assert.equal(expected.paths![0]!.nodes.join(' '), 'a5.h5 a8.h6 a9.h9 logits');
    await textIs(panel.locator('.path-list button').first(), 'L5H5 → L8H6 v → L9H9 q → Logits');
    const [first] = expected.paths!;
    const weakest = ends.find(({ score }) => Math.abs(score) === first!.strength)!.score;
    await textIs(panel.locator('.path-strength').first(), formatScore(weakest));
    await drawn(page, expected.edges.length);
    await panel.locator('.path-list button').first().press('Enter');
    assert.equal(await page.locator('.graph-node.dimmed').count(), expected.nodes.length - expected.paths![0]!.nodes.length);
    assert.equal(await panel.locator('.path-list [aria-pressed="true"]').count(), 1);
    await page.getByRole('radio', { name: 'Heatmap' }).check();
    await textIs(page.locator('.matrix-form > .caption:visible'), 'Hatched: no such edge is drawn; only edges of the strongest paths are. Headings sort.');
    await page.getByRole('radio', { name: 'Graph', exact: true }).check();
    await panel.getByRole('button', { name: 'Whole graph' }).click();
    await drawn(page, 40);
  });

  it('keeps names, pins and notes with the run, and shows them on nodes and in tables', async () => {
    const page = await show();
    for (const [name, given] of [['a9.h9', 'name mover'], ['a9.h6', 'name mover'], ['a8.h6', 'S-inhibition']] as const) {
      await node(page, name).click();
      await page.getByLabel(`Name of ${titleOf(shape, name)}`).fill(given);
      await page.keyboard.press('Tab');
      await page.getByRole('button', { name: 'Whole graph' }).first().click();
      await drawn(page, 40);
    }
    assert.equal(await node(page, 'a9.h9').locator('.given-name').textContent(), 'name mover');
    const marks = async (name: string): Promise<string> => (await node(page, name).getAttribute('class'))!.match(/mark\d/)![0];
    assert.equal(await marks('a9.h9'), await marks('a9.h6'));
    assert.notEqual(await marks('a9.h9'), await marks('a8.h6'));
    assert.match((await listed(page))[0]!, /^L9H9 \(name mover\) Logits/);
    await graph(page).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('p');
    await page.getByRole('textbox', { name: 'Notes, kept with the run' }).fill('Much as in the paper.');
    const notes = { names: { 'a9.h9': 'name mover', 'a9.h6': 'name mover', 'a8.h6': 'S-inhibition' }, pinned: ['input'], text: 'Much as in the paper.' };
    await eventually(async () => assert.deepEqual((await requests(page, 'keepGraphNotes')).at(-1)?.notes, notes));
    await topBox(page).fill('3');
    await drawn(page, 3);
    assert.equal(await node(page, 'input').getAttribute('class'), 'graph-node input absent', 'a pinned node stays, whatever the threshold');
    await page.reload();
    await textIs(page.locator('.groups'), /name moverL9H6L9H9S-inhibitionL8H6PinnedInput/);
    assert.equal(await page.getByRole('textbox', { name: 'Notes, kept with the run' }).inputValue(), notes.text);
    await page.locator('.groups').getByRole('button', { name: 'L8H6' }).click();
    await eventually(async () => assert.deepEqual((await lastGraphRequest(page)).focus, ['a8.h6']));
  });

  it('comes back after a reload as it was left', async () => {
    const page = await show();
    await node(page, 'a8.h6').click();
    await topBox(page).fill('9');
    await drawn(page, 9);
    await page.getByLabel('Exact path patching').selectOption('throughMlps');
    await page.getByRole('button', { name: 'Zoom in' }).click();
    const zoomed = await transform(page);
    // State is saved a tenth of a second after its last change.
    await page.waitForTimeout(1000);
    await page.reload();
    await drawn(page, 9);
    await textIs(page.locator('.crumbs'), 'Whole graphL8H6');
    assert.deepEqual((await lastGraphRequest(page)).choose, { top: 9 });
    assert.equal((await lastGraphRequest(page)).mode, 'throughMlps');
    await eventually(async () => assert.equal(await transform(page), zoomed));
    await textIs(count(page), '9 of 32,491 edges');
  });
});
