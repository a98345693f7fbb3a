import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { edgeNamed } from '../../src/shared/graph/nodes';
import { PATH_MODES } from '../../src/shared/paths';
import { formatScore } from '../../webview/model/format';
import { eventually, requests, stageForViews, textIs } from './openView';
import { drawn, edgeRows, expectedPage, graph, node, shape } from './pathsPage';

describe('the paths view in a browser: exact effects, positions, the heatmap', () => {
  const open = stageForViews();
  const show = async (options = {}): Promise<Page> => {
    const page = await open('Paths', { run: 'gpt2', height: 1100, ...options });
    await drawn(page, 40);
    return page;
  };
  const exact = async (page: Page): Promise<string[]> => edgeRows(page).evaluateAll((rows) => rows.map((row) => row.children[4]!.textContent!));
  const details = (page: Page) => page.getByRole('region', { name: 'Selected edge' });
  const pressRow = async (page: Page, place: number): Promise<void> => edgeRows(page).nth(place).getByRole('button').click();

  it('verifies the selected edge, which then has its exact effect everywhere', async () => {
    const page = await show();
    await pressRow(page, 0);
    await details(page).getByRole('button', { name: 'Verify' }).click();
    await textIs(page.locator('#live'), 'Measured L9H9 → Logits');
    await eventually(async () => assert.notEqual((await exact(page))[0], ''));
    assert.deepEqual((await exact(page)).slice(1).filter((text) => text !== ''), []);
    const edge = edgeNamed(shape, 'a9.h9->logits')!;
    assert.deepEqual((await requests(page, 'patchPaths')).map(({ edges, mode }) => ({ edges, mode })), [{ edges: [edge], mode: 'direct' }]);
    const value = (await exact(page))[0]!;
    await textIs(details(page).locator('.card-exact'), new RegExp(`^${value.replace('+', '\\+')} exact · the estimate is off by`));
    assert.equal(await details(page).getByRole('button', { name: 'Verify' }).count(), 0);
    const { score } = expectedPage().edges[0]!;
    const error = Math.abs(score - Number(value));
    assert.ok(Math.abs(Number(await edgeRows(page).first().locator('td').nth(4).textContent()) - error) < 2e-3);
    await graph(page).focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowDown');
    await textIs(page.locator('#live'), `L9H9 into Logits, ${formatScore(score)}, rank 1 of the drawn, exact ${value}`);
  });

  it('verifies the edge at the keyboard’s place', async () => {
    const page = await show();
    await graph(page).focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('v');
    await eventually(async () => assert.notEqual((await exact(page))[0], ''));
  });

  it('measures by each mode on its own', async () => {
    const page = await show();
    const modes = page.getByLabel('Exact path patching');
    assert.deepEqual(await modes.locator('option').evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value)), [...PATH_MODES]);
    await modes.selectOption('throughMlps');
    await textIs(page.locator('.mode-words'), /three passes/);
    await pressRow(page, 1);
    await details(page).getByRole('button', { name: 'Verify' }).click();
    await eventually(async () => assert.notEqual((await exact(page))[1], ''));
    await modes.selectOption('direct');
    await eventually(async () => assert.equal((await exact(page))[1], ''));
  });

  it('verifies the strongest with progress, and stops; what is measured stays', async () => {
    const page = await show();
    await page.evaluate(() => window.fakeHost.allow(1));
    const howMany = page.getByRole('spinbutton', { name: 'How many of the strongest edges to verify' });
    await howMany.fill('12');
    await howMany.press('Tab');
    await page.getByRole('button', { name: 'Verify top' }).click();
    await textIs(page.locator('.work'), /^Verifying top 12 edges.*4 edges measured · Patching paths exactly/);
    await page.locator('.work').getByRole('button', { name: 'Cancel' }).click();
    await textIs(page.locator('#live'), 'Stopped: Verifying top 12 edges');
    await eventually(async () => assert.equal((await exact(page)).filter((text) => text !== '').length, 4));
    await page.evaluate(() => window.fakeHost.allow(Infinity));
    await page.getByRole('button', { name: 'Verify top' }).click();
    await eventually(async () => assert.equal((await exact(page)).filter((text) => text !== '').length, 12));
    assert.deepEqual((await requests(page, 'patchPaths')).map(({ edges }) => edges), [{ top: 12 }, { top: 12 }]);
    await node(page, 'a5.h5').click();
    await eventually(async () => assert.match((await edgeRows(page).first().textContent())!, /^L5H5L8H6v/));
    await page.getByRole('button', { name: 'Verify top' }).click();
    const own = expectedPage({ focus: ['a5.h5'] }).edges.slice(0, 12).map(({ sender, receiver }) => ({ sender, receiver }));
    await eventually(async () => assert.deepEqual((await requests(page, 'patchPaths')).at(-1)?.edges, own, 'of what is in focus'));
  });

  it('says where in the prompts a selected edge acts, length by length, and asks once', async () => {
    const page = await show();
    await pressRow(page, 2);
    const strips = details(page).locator('.position-strip');
    await eventually(async () => assert.deepEqual(await strips.locator('figcaption').allTextContents(), ['By position (14 tokens)', 'By position (15 tokens)']));
    const [first] = [strips.first()];
    assert.equal(await first.locator('li').count(), 14);
    assert.match((await first.locator('li').last().getAttribute('title'))!, /^13 “ to”: [+−]0\.\d+$/);
    assert.equal(await first.locator('.strip-bar').first().evaluate((bar) => getComputedStyle(bar).height), '0px', 'nothing before the first difference');
    await pressRow(page, 2);
    assert.equal(await details(page).isVisible(), false);
    await pressRow(page, 2);
    await eventually(async () => assert.equal(await strips.count(), 2));
    assert.equal((await requests(page, 'edgePositions')).length, 1);
  });

  it('says that positions cannot be had, and tries again', async () => {
    const page = await show();
    await page.evaluate(() => (window.fakeHost.failing.edgePositions = 'Edges by position need equal lengths.'));
    await pressRow(page, 0);
    await textIs(details(page).locator('.computing'), 'Edges by position need equal lengths.Try again');
    await page.evaluate(() => (window.fakeHost.failing.edgePositions = undefined));
    await details(page).getByRole('button', { name: 'Try again' }).click();
    await eventually(async () => assert.equal(await details(page).locator('.position-strip').count(), 2));
  });

  it('shows the same edges as a heatmap of sender and receiver, inputs added up or one of them, sorted by headings', async () => {
    const page = await show();
    await page.getByRole('radio', { name: 'Heatmap' }).check();
    const grid = page.getByRole('grid', { name: 'Sender × receiver' });
    const cell = (name: string) => grid.locator(`.cell[data-name="${name}"]`);
    await textIs(cell('L8H6 → L9H9'), '+0.19');
    await textIs(page.locator('.matrix-form > .caption:visible'), 'Hatched: no such edge is drawn, it is weaker than the threshold. Headings sort.');
    assert.doesNotMatch((await page.locator('.paths-main > .caption').textContent())!, /Width|diamond/);
    assert.equal(await graph(page).isVisible(), false);
    const sum = expectedPage().edges.filter(({ sender, receiver }) => [edgeNamed(shape, 'a5.h5->a8.h6<v>')!, edgeNamed(shape, 'a5.h5->a8.h6<k>')!].some((edge) => edge.sender === sender && edge.receiver === receiver)).reduce((total, { score }) => total + score, 0);
    assert.ok(Math.abs(Number(await cell('L5H5 → L8H6').getAttribute('data-value')) - sum) < 1e-6);
    assert.equal(await cell('L5H5 → L9H9').getAttribute('aria-label'), 'no edge drawn');
    await page.getByRole('radio', { name: 'v', exact: true }).check();
    await eventually(async () => assert.equal(await cell('L8H6 → L9H9').count(), 0));
    await textIs(cell('L5H5 → L8H6'), '+0.14');
    await grid.getByRole('columnheader', { name: 'to L8H6' }).click();
    const first = async (): Promise<string> => grid.locator('.row-head').evaluateAll((heads) => heads.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)[0]!.textContent!);
    await eventually(async () => assert.equal(await first(), 'L5H5'));
    await page.getByLabel('Order of senders').selectOption('index');
    await eventually(async () => assert.notEqual(await first(), 'L5H5'));
    await cell('L5H5 → L8H6').focus();
    await textIs(page.locator('#live'), /^L5H5 → L8H6 v: \+0\.14/);
    await page.keyboard.press('Enter');
    await textIs(details(page).locator('.card-title'), 'L5H5 → L8H6 v');
    assert.equal(await cell('L5H5 → L8H6').getAttribute('aria-selected'), 'true');
    await page.keyboard.press('v');
    await textIs(details(page).locator('.card-exact'), /exact/);
  });

  it('has a tab only where the run has estimates', async () => {
    const page = await open('Logits', { run: 'gradientless' });
    assert.equal(await page.getByRole('tab', { name: 'Paths' }).count(), 0);
  });

  it('takes in what the editor’s own commands add', async () => {
    const page = await open('Paths', { run: 'ioi' });
    await page.evaluate(() => window.fakeHost.showSample('gpt2'));
    await page.getByRole('tab', { name: 'Paths' }).click();
    await drawn(page, 40);
    await node(page, 'a9.h9').waitFor();
  });
});
