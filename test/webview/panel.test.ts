import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { headScores, layerDetail, positionScores, type Matrix, type ViewOptions } from '../../src/shared/views';
import { rankCells, sortAxis } from '../../src/shared/ranking';
import type { Run } from '../../src/shared/run';
import type { SiteName } from '../../src/shared/sites';
import { formatScore } from '../../webview/model/format';
import { screenshot } from './panelPage';
import { axeFindsNothing, eventually, requests, textIs } from './openView';
import { cell, focusedName, live, tooltip, withPanels } from './panelTests';
import { sampleRun } from './sampleRuns';

const ALL: ViewOptions = { pair: 'all', unit: 'normalised' };

const heads = (run: Run, options = ALL, positions: 'all' | 'last' = 'all', site: SiteName = 'z'): Matrix => headScores(run.manifest, run.arrays, site, positions, options);
const positionMap = (run: Run, group = 0, options = ALL, site: SiteName = 'z'): Matrix => positionScores(run.manifest, run.arrays, group, site, options)!;
const detail = (run: Run, group: number, layer: number, options = ALL): Matrix => layerDetail(run.manifest, run.arrays, 'z', group, layer, options)!;
const at = ({ values, columns }: Matrix, row: number, column: number): number => values[row * columns + column]!;

const grid = (page: Page, name: 'Layer × head' | 'Layer × position'): Locator => page.getByRole('grid', { name });

/** Order of an axis as drawn: row or column headers by their place on the screen. */
async function drawnOrder(page: Page, map: 'heads' | 'positions', header: '.row-head' | '.column-head'): Promise<string[]> {
  return page.$$eval(`.map-section.${map} ${header}`, (elements) =>
    elements
      .map((element) => ({ label: element.getAttribute('aria-label')!, place: element.getBoundingClientRect() }))
      .sort((a, b) => a.place.top - b.place.top || a.place.left - b.place.left)
      .map(({ label }) => label),
  );
}

/** Chooses how an axis is ordered. */
async function orderBy(page: Page, map: 'heads' | 'positions', axis: string, by: string): Promise<void> {
  const section = page.locator(`.map-section.${map}`);
  if (!(await section.locator('.further').isVisible())) await section.getByRole('button', { name: 'More' }).click();
  await section.getByLabel(`Order of ${axis}`).selectOption(by);
}

describe('the panel in a browser', () => {
  const open = withPanels();

  describe('shows a run', () => {
    it('with its facts', async () => {
      const page = await open({ run: 'ioi' });
      const facts = (await page.locator('.fact-list').innerText()).replaceAll('\u00a0', ' ');
      const { manifest } = sampleRun('ioi');
      const mean = (side: 'clean' | 'corrupted'): string => formatScore(manifest.pairs.reduce((sum, { metric }) => sum + metric[side]!, 0) / 8);
      for (const text of ['bundled', '5 layers × 8 heads', '6 with 14 tokens, 2 with 15', 'denoise', 'clean patched into corrupted', 'logit difference', 'not prepended', '184 ms', 'model loaded in 312 ms', 'Threads were not taken: the prompts are short.']) {
        assert.ok(facts.includes(text), `${text} in ${facts}`);
      }
      assert.ok(facts.includes(`clean ${mean('clean')}, corrupted ${mean('corrupted')}`), facts);
      assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'ioi.prompts.json');
      assert.match(await page.locator('.reading').innerText(), /Positive \(blue\) supports the correct answer.*linear approximation/);
      assert.match(await page.getByRole('note').innerText(), /rare in what the bundled model has read/);
      for (const section of ['.map-section.heads', '.map-section.positions', '.table-section']) {
        await textIs(page.locator(`${section} > .caption`).last(), /denoise .*logit difference, normalised.*no BOS.*mean of 8 pairs/);
      }
    });

    it('with every number in its cell', async () => {
      const page = await open({ run: 'ioi' });
      const run = sampleRun('ioi');
      for (const [selector, matrix, letter] of [['.map-section.heads', heads(run), 'H'], ['.map-section.positions', positionMap(run), 'P']] as const) {
        const drawn = await page.$$eval(`${selector} .cell`, (cells) => cells.map((element) => ({ name: (element as HTMLElement).dataset['name'], value: Number((element as HTMLElement).dataset['value']), text: element.textContent!, label: element.getAttribute('aria-label') })));
        assert.equal(drawn.length, matrix.values.length);
        drawn.forEach(({ name, value, text, label }, index) => {
          assert.equal(name, `L${Math.floor(index / matrix.columns)}${letter}${index % matrix.columns}`);
          assert.equal(value, matrix.values[index]);
          const read = Number(text.replace('−', '-'));
          assert.ok(text !== '' && Math.abs(read - value) <= 0.005, `${text} is ${value}`);
          assert.equal(label, null, 'the number shown is the name');
        });
      }
    });

    it('with token strings on the position axis, the differing ones marked', async () => {
      const page = await open({ run: 'ioi' });
      const marked = await page.$$eval('.map.tall .column-head.differs', (columns) => columns.map((element) => element.getAttribute('aria-label')));
      assert.deepEqual(marked, ['position 9 “John | Mary …” → “Mary | John …”, clean and corrupted differ']);
      await page.getByLabel('Pairs').selectOption({ label: 'Mary gives the bag' });
      await textIs(page.locator('.map.tall .column-head.differs .tokens'), 'MaryJohn');
      const chips = await page.$$eval('.pair .chip.differs', (cells) => cells.map((element) => element.textContent));
      assert.deepEqual(chips, ['·Mary', '·John']);
      await page.locator('.map.tall .column-head.differs').hover();
      await textIs(tooltip(page), /position 9 “ Mary” → “ John”, clean and corrupted differ/);
    });

    it('with a colour scale centred at zero', async () => {
      const page = await open({ run: 'ioi' });
      const matrix = heads(sampleRun('ioi'));
      const largest = formatScore(Math.max(...matrix.values.map(Math.abs)));
      await textIs(page.locator('.map-section.heads .legend-ticks'), `−${largest.slice(1)}0${largest}`);
      const colours = await page.$$eval('.map-section.heads .cell', (cells) => cells.map((element) => ({ value: Number((element as HTMLElement).dataset['value']), rgb: getComputedStyle(element).backgroundColor.match(/\d+/g)!.map(Number) })));
      for (const { value, rgb } of colours) {
        if (value > 0.05) assert.ok(rgb[2]! > rgb[0]!, `${value} is blue: ${rgb}`);
        if (value < -0.05) assert.ok(rgb[0]! > rgb[2]!, `${value} is red: ${rgb}`);
      }
    });

    it('with what its signs mean where the clean run favours the incorrect answer', async () => {
      const page = await open({ run: 'reversed' });
      const words = page.locator('.legend-words');
      await textIs(page.locator('.reading strong'), 'Positive (blue) moves towards the clean run, which here favours the incorrect answer.');
      for (const map of [0, 1]) await textIs(words.nth(map), 'towards corruptedtowards clean');
      await page.getByRole('radio', { name: 'Raw logits' }).check();
      await textIs(page.locator('.reading strong'), 'Positive (blue) supports the correct answer.');
      for (const map of [0, 1]) await textIs(words.nth(map), 'opposessupports the correct answer');
    });

    it('of pairs with unequal lengths: the last position only', async () => {
      const page = await open({ run: 'end' });
      assert.equal(await page.locator('.map.tall .column-head').count(), 1);
      await cell(page, 'L4P0').hover();
      await textIs(tooltip(page), /L4 · END “ to”.*Strongest heads of layer 4 here/);
    });
  });

  describe('names what stands behind a cell', () => {
    it('of a position: the strongest heads of that layer there, with their values', async () => {
      const page = await open({ run: 'ioi' });
      const run = sampleRun('ioi');
      await cell(page, 'L2P9').hover();
      await tooltip(page).locator('.behind li').first().waitFor();
      const map = positionMap(run);
      const rank = rankCells(map).find(({ row, column }) => row === 2 && column === 9)!.rank;
      await textIs(tooltip(page).locator('.card-value'), `${formatScore(at(map, 2, 9))} normalised · rank ${rank} of ${map.values.length}`);
      const layer = detail(run, 0, 2);
      const expected = Array.from({ length: 8 }, (_, head) => ({ head, value: at(layer, 9, head) }))
        .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
        .slice(0, 5)
        .map(({ head, value }) => [`L2H${head}`, formatScore(value)]);
      const shown = await tooltip(page).locator('.behind li').evaluateAll((items) => items.map((item) => [item.querySelector('.behind-label')!.textContent, item.querySelector('.behind-value')!.textContent]));
      assert.deepEqual(shown, expected);
      assert.equal(shown[0]![0], 'L2H5');
    });

    it('of a head: its strongest positions over all lengths', async () => {
      const page = await open({ run: 'ioi' });
      const run = sampleRun('ioi');
      await cell(page, 'L4H6').hover();
      await tooltip(page).locator('.behind li').first().waitFor();
      const shown = await tooltip(page).locator('.behind li').evaluateAll((items) => items.map((item) => [item.querySelector('.behind-label')!.textContent, item.querySelector('.behind-value')!.textContent]));
      assert.deepEqual(shown.slice(0, 2), [
        ['13 “ to” (14 tokens)', formatScore(at(detail(run, 0, 4), 13, 6))],
        ['14 “ to” (15 tokens)', formatScore(at(detail(run, 1, 4), 14, 6))],
      ]);
    });

    it('or says that there are no heads behind it', async () => {
      const page = await open({ run: 'ioi' });
      await page.locator('.map-section.positions').getByLabel('Site').selectOption('mlp_out');
      await textIs(page.locator('.map-section.positions .subtitle'), /^MLP output/);
      await eventually(async () => assert.equal(Number(await cell(page, 'L2P9').getAttribute('data-value')), at(positionMap(sampleRun('ioi'), 0, ALL, 'mlp_out'), 2, 9)));
      await cell(page, 'L2P9').hover();
      await textIs(tooltip(page), /No heads: this is the MLP’s output\./);
      await cell(page, 'L2P3').hover();
      await textIs(tooltip(page), /Before the first difference: exactly 0\./);
    });

    it('also on focus, and lets Escape take it away', async () => {
      const page = await open({ run: 'ioi' });
      await cell(page, 'L4H6').focus();
      await textIs(tooltip(page), /^L4H6/);
      await page.keyboard.press('Escape');
      assert.equal(await tooltip(page).count(), 0);
      await page.keyboard.press('ArrowLeft');
      await textIs(tooltip(page), /^L4H5/);
    });

    it('waits for numbers that are late, and says when they cannot be had', async () => {
      const page = await open({ run: 'ioi', hold: 'layerDetail' });
      await cell(page, 'L4H6').hover();
      await textIs(tooltip(page), /Loading …/);
      await page.evaluate(() => window.fakeHost.release());
      await textIs(tooltip(page), /Its strongest positions\d+ “/);
      await page.evaluate(() => (window.fakeHost.failing = { layerDetail: 'The engine has stopped.' }));
      await page.getByRole('radio', { name: 'Raw logits' }).check();
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(sampleRun('ioi'), { pair: 'all', unit: 'raw' }), 4, 6)));
      await cell(page, 'L4H6').hover();
      await textIs(tooltip(page), /The engine has stopped\./);
    });
  });

  describe('sorts', () => {
    it('layers and heads by total and by strongest', async () => {
      const page = await open({ run: 'ioi' });
      const matrix = heads(sampleRun('ioi'));
      const section = page.locator('.map-section.heads');
      await orderBy(page, 'heads', 'layers', 'total');
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.row-head'), sortAxis(matrix, 'rows', { by: 'total' }).map((layer) => `layer ${layer}`)));
      await orderBy(page, 'heads', 'heads', 'strongest');
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.column-head'), sortAxis(matrix, 'columns', { by: 'strongest' }).map((head) => `head ${head}`)));
      assert.notDeepEqual(await drawnOrder(page, 'heads', '.row-head'), [0, 1, 2, 3, 4].map((layer) => `layer ${layer}`));
      assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(matrix, 4, 6));
      await section.getByRole('button', { name: 'Reset order' }).click();
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.row-head'), [0, 1, 2, 3, 4].map((layer) => `layer ${layer}`)));
    });

    it('by a row or a column when its header is pressed, and back when pressed again', async () => {
      const page = await open({ run: 'ioi' });
      const matrix = heads(sampleRun('ioi'));
      const row = grid(page, 'Layer × head').getByRole('rowheader', { name: 'layer 3' });
      const column = grid(page, 'Layer × head').getByRole('columnheader', { name: 'head 6' });
      await row.hover();
      await textIs(tooltip(page), /Press to sort the heads by it\./);
      await row.click();
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.column-head'), sortAxis(matrix, 'columns', { by: 'line', line: 3 }).map((head) => `head ${head}`)));
      assert.equal(await row.getAttribute('aria-sort'), 'descending');
      assert.equal(await tooltip(page).count(), 0, 'the tooltip makes way for what was sorted');
      await column.click();
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.row-head'), sortAxis(matrix, 'rows', { by: 'line', line: 6 }).map((layer) => `layer ${layer}`)));
      assert.equal(await column.getAttribute('aria-sort'), 'descending');
      await row.click();
      await eventually(async () => assert.equal((await drawnOrder(page, 'heads', '.column-head'))[0], 'head 0'));
      assert.equal(await row.getAttribute('aria-sort'), 'none');
    });

    it('positions too, and glides there when motion is welcome', async () => {
      const page = await open({ run: 'ioi', reducedMotion: false });
      const matrix = positionMap(sampleRun('ioi'));
      await orderBy(page, 'positions', 'positions', 'strongest');
      await page.waitForFunction(() => document.getAnimations().length > 0);
      const order = sortAxis(matrix, 'columns', { by: 'strongest' });
      await eventually(async () => assert.deepEqual((await drawnOrder(page, 'positions', '.column-head')).map((label) => Number(/^position (\d+)/.exec(label)![1])), order));
    });

    it('the table by each of its columns', async () => {
      const page = await open({ run: 'ioi' });
      const matrix = heads(sampleRun('ioi'));
      const ranked = rankCells(matrix).slice(0, 20);
      const names = (): Promise<string[]> => page.$$eval('.ranked tbody tr', (rows) => rows.map((row) => (row as HTMLElement).dataset['name']!));
      const name = ({ row, column }: { row: number; column: number }): string => `L${row}H${column}`;
      assert.deepEqual(await names(), ranked.map(name));
      await page.getByRole('button', { name: 'Score' }).click();
      await eventually(async () => assert.deepEqual(await names(), [...ranked].sort((a, b) => b.value - a.value).map(name)));
      assert.equal(await page.getByRole('columnheader', { name: 'Score' }).getAttribute('aria-sort'), 'descending');
      await page.getByRole('button', { name: 'Score' }).click();
      await eventually(async () => assert.deepEqual(await names(), [...ranked].sort((a, b) => a.value - b.value).map(name)));
      assert.equal(await focusedName(page), null);
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Score▲');
      await page.getByRole('button', { name: 'Show all 40' }).press('Enter');
      await eventually(async () => assert.equal((await names()).length, 40));
      assert.equal(await page.evaluate(() => document.activeElement?.textContent?.slice(0, 100)), 'Show the top 20', 'the button keeps the focus');
    });
  });

  describe('follows what is chosen', () => {
    it('raw logits, last position, one pair', async () => {
      const page = await open({ run: 'ioi' });
      const run = sampleRun('ioi');
      await page.getByRole('radio', { name: 'Raw logits' }).check();
      const raw: ViewOptions = { pair: 'all', unit: 'raw' };
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, raw), 4, 6)));
      await page.getByRole('radio', { name: 'Last position' }).check();
      await eventually(async () => assert.equal(Number(await cell(page, 'L2H5').getAttribute('data-value')), at(heads(run, raw, 'last'), 2, 5)));
      await page.getByLabel('Pairs').selectOption({ label: 'Amy gives the drink' });
      const one: ViewOptions = { pair: 7, unit: 'raw' };
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, one, 'last'), 4, 6)));
      // The pair is of the other length, so the positions map goes there by itself.
      await eventually(async () => assert.equal(Number(await cell(page, 'L4P14').getAttribute('data-value')), at(positionMap(run, 1, one), 4, 14)));
      await textIs(page.locator('.map-section.heads > .caption').last(), /raw logits.*Amy gives the drink: its share of the mean of 8/);
      assert.equal(await page.locator('.pair').count(), 1);
    });

    it('another length', async () => {
      const page = await open({ run: 'ioi' });
      await page.getByLabel('Length').selectOption({ label: '15 tokens (2 pairs)' });
      await eventually(async () => assert.equal(Number(await cell(page, 'L4P14').getAttribute('data-value')), at(positionMap(sampleRun('ioi'), 1), 4, 14)));
      await textIs(page.locator('.map-section.positions > .caption').last(), /the 2 pairs of 15 tokens/);
    });

    it('and never draws an answer for something else', async () => {
      const page = await open({ run: 'ioi' });
      const run = sampleRun('ioi');
      await page.evaluate(() => window.fakeHost.hold('map'));
      const list = page.getByLabel('Pairs');
      await list.selectOption('1');
      await list.selectOption('2');
      await eventually(async () => assert.ok((await requests(page, 'map')).length >= 6));
      assert.equal(await grid(page, 'Layer × head').locator('..').getAttribute('aria-busy'), 'true');
      assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run), 4, 6));
      // Released last first: pair 2 is answered before pair 1.
      await page.evaluate(() => window.fakeHost.release());
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, { pair: 2, unit: 'normalised' }), 4, 6)));
      await page.waitForTimeout(150);
      assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, { pair: 2, unit: 'normalised' }), 4, 6));
    });

    it('says why a run cannot be normalised', async () => {
      const page = await open({ run: 'flat' });
      assert.equal(await page.getByRole('radio', { name: 'Normalised' }).isDisabled(), true);
      assert.match(await page.locator('.main-toolbar').innerText(), /too close to divide by/);
      assert.equal(await page.getByRole('radio', { name: 'Raw logits' }).isChecked(), true);
    });

    it('a failure is shown where the numbers would be, and can be tried again', async () => {
      const page = await open({ run: 'ioi' });
      await page.evaluate(() => (window.fakeHost.failing = { map: 'The run file is gone.' }));
      await page.getByRole('radio', { name: 'Raw logits' }).check();
      await textIs(page.locator('.map-section.heads .map-notice'), /The run file is gone\./);
      await page.evaluate(() => (window.fakeHost.failing = {}));
      await page.locator('.map-section.heads').getByRole('button', { name: 'Try again' }).click();
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(sampleRun('ioi'), { pair: 'all', unit: 'raw' }), 4, 6)));
    });
  });

  describe('selects everywhere at once', () => {
    it('a head: in its map, in the table, in the details, and its positions', async () => {
      const page = await open({ run: 'ioi' });
      await cell(page, 'L2H5').click();
      await textIs(page.locator('.details'), /^SelectionL2H5\+0/);
      assert.equal(await cell(page, 'L2H5').getAttribute('aria-selected'), 'true');
      assert.equal(await page.locator('.ranked tr.selected').getAttribute('data-name'), 'L2H5');
      await eventually(async () => assert.deepEqual(await page.$$eval('.map.tall .cell.related', (cells) => cells.map((element) => (element as HTMLElement).dataset['name'])), ['L2P9']));
      await page.locator('.ranked tr[data-name="L4H1"] button').click();
      await eventually(async () => assert.equal(await cell(page, 'L4H1').getAttribute('aria-selected'), 'true'));
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await eventually(async () => assert.equal(await page.locator('.selected').count(), 0));
    });

    it('a position: and the heads behind it', async () => {
      const page = await open({ run: 'ioi' });
      await cell(page, 'L4P13').click();
      await eventually(async () => assert.deepEqual(await page.$$eval('.map-section.heads .cell.related', (cells) => cells.map((element) => (element as HTMLElement).dataset['name'])), ['L4H1', 'L4H6']));
      await page.locator('.table-section').getByRole('radio', { name: 'Positions' }).check();
      await eventually(async () => assert.equal(await page.locator('.ranked tr.selected').getAttribute('data-name'), 'L4P13'));
      await textIs(page.locator('.ranked tr.selected .behind-column'), /^L4H6 \+0/);
    });

    it('copies a value and the table through the host', async () => {
      const page = await open({ run: 'ioi' });
      const matrix = heads(sampleRun('ioi'));
      await cell(page, 'L4H6').click();
      await page.getByRole('button', { name: 'Copy value' }).click();
      await eventually(async () => assert.equal((await requests(page, 'copy')).length, 1));
      assert.equal(Number((await requests(page, 'copy'))[0]!['text']), at(matrix, 4, 6));
      await eventually(async () => assert.equal(await page.locator('.ranked').getByText('…', { exact: true }).count(), 0));
      await page.getByRole('button', { name: 'Copy table' }).click();
      await eventually(async () => assert.equal((await requests(page, 'copy')).length, 2));
      const lines = String((await requests(page, 'copy'))[1]!['text']).trimEnd().split('\n').map((line) => line.split('\t'));
      assert.deepEqual(lines[0], ['rank', 'head', 'score', 'exact', 'share', 'strongest position']);
      assert.deepEqual(lines[1]!.slice(0, 3), ['1', 'L4H6', String(at(matrix, 4, 6))]);
      assert.equal(lines.length, 21);
    });
  });

  describe('is used by keyboard and screen reader', () => {
    it('each map is one tab stop', async () => {
      const page = await open({ run: 'ioi' });
      assert.equal(await page.locator('.map-section.heads [role=grid] [tabindex="0"]').count(), 1);
      await cell(page, 'L0H0').focus();
      await page.keyboard.press('ArrowRight');
      assert.equal(await page.locator('.map-section.heads [role=grid] [tabindex="0"]').count(), 1);
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Tab');
      assert.equal(await focusedName(page), 'L0H1');
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement?.closest('.verify') !== null), true, 'Tab leaves the map');
    });

    it('the table’s rows are one tab stop', async () => {
      const page = await open({ run: 'ioi' });
      const ranked = rankCells(heads(sampleRun('ioi'))).map(({ row, column }) => `L${row}H${column}`);
      const focused = (): Promise<string | undefined> => page.evaluate(() => document.activeElement?.closest('tr')?.dataset['name']);
      const stops = (): Promise<string[]> => page.$$eval('.ranked tbody [tabindex="0"]', (buttons) => buttons.map((element) => element.closest('tr')!.dataset['name']!));
      assert.deepEqual(await stops(), [ranked[0]]);
      await page.locator('.ranked tbody [tabindex="0"]').focus();
      await page.keyboard.press('ArrowDown');
      assert.equal(await focused(), ranked[1]);
      await page.keyboard.press('End');
      assert.equal(await focused(), ranked[19]);
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Enter');
      await eventually(async () => assert.equal(await page.locator('.ranked tr.selected').getAttribute('data-name'), ranked[18]));
      assert.equal(await focused(), ranked[18]);
      assert.deepEqual(await stops(), [ranked[18]]);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Show all 40');
    });

    it('moves by arrows, Home, End and pages, and reads the cell', async () => {
      const page = await open({ run: 'gpt2' });
      const matrix = heads(sampleRun('gpt2'));
      const reads = async (layer: number, head: number): Promise<void> => {
        const { rank } = rankCells(matrix).find(({ row, column }) => row === layer && column === head)!;
        await textIs(live(page), `layer ${layer}, head ${head}, ${formatScore(at(matrix, layer, head))}, rank ${rank}`);
        assert.equal(await focusedName(page), `L${layer}H${head}`);
      };
      await cell(page, 'L9H5').focus();
      await page.keyboard.press('ArrowRight');
      await reads(9, 6);
      await page.keyboard.press('ArrowDown');
      await reads(10, 6);
      await page.keyboard.press('Home');
      await reads(10, 0);
      await page.keyboard.press('End');
      await reads(10, 11);
      await page.keyboard.press('Control+Home');
      await reads(0, 0);
      await page.keyboard.press('PageDown');
      await eventually(async () => assert.match((await focusedName(page)) ?? '', /^L(9|1[01])H0$/));
      await page.keyboard.press('Control+End');
      await reads(11, 11);
    });

    it('moves in the order drawn, and keeps its cell when the order changes', async () => {
      const page = await open({ run: 'ioi' });
      const order = sortAxis(heads(sampleRun('ioi')), 'rows', { by: 'total' });
      await cell(page, 'L2H5').focus();
      await orderBy(page, 'heads', 'layers', 'total');
      await eventually(async () => assert.equal((await drawnOrder(page, 'heads', '.row-head'))[0], `layer ${order[0]}`));
      await cell(page, `L${order[0]}H5`).focus();
      await page.keyboard.press('ArrowDown');
      assert.equal(await focusedName(page), `L${order[1]}H5`);
    });

    it('sorts from the headers by Enter and keeps the focus there', async () => {
      const page = await open({ run: 'ioi' });
      await cell(page, 'L0H6').focus();
      await page.keyboard.press('ArrowUp');
      assert.equal(await focusedName(page), 'head 6');
      await textIs(live(page), 'head 6, Enter sorts the layers by it');
      await page.keyboard.press('Enter');
      await eventually(async () => assert.equal((await drawnOrder(page, 'heads', '.row-head'))[0], 'layer 4'));
      assert.equal(await focusedName(page), 'head 6');
    });

    it('keeps the keyboard’s place when a button goes, and over a rerun', async () => {
      const page = await open({ run: 'ioi' });
      const focused = (): Promise<string | undefined> => page.evaluate(() => document.activeElement?.className || document.activeElement?.textContent || undefined);
      await cell(page, 'L4H6').click();
      await page.locator('.details').getByRole('button', { name: 'Clear' }).press('Enter');
      await textIs(page.locator('.details'), /^Select a cell/);
      assert.equal(await focused(), 'details');
      await page.locator('.map-section.positions').getByRole('button', { name: 'More' }).focus();
      await page.evaluate(() => window.fakeHost.showSample('single'));
      await textIs(page.locator('.fact-list'), /14 tokens/);
      assert.equal(await page.evaluate(() => document.activeElement?.closest('.map-section.positions') !== null && document.activeElement?.textContent), 'More');
    });

    it('Enter selects and reads what stands behind, Escape clears', async () => {
      const page = await open({ run: 'ioi' });
      await cell(page, 'L4P13').focus();
      await textIs(live(page), /^layer 4, position 13 “ to”, \+0\.\d+, rank \d+$/);
      await page.keyboard.press('Enter');
      await textIs(live(page), /^Selected layer 4, position 13 “ to”, .* Strongest heads of layer 4 here: L4H6 \+0\.\d+, L4H1 −0/);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await textIs(live(page), 'Selection cleared');
      await eventually(async () => assert.equal(await page.locator('.selected').count(), 0));
    });

    for (const theme of ['dark', 'light', 'contrast', 'contrastLight'] as const) {
      it(`has no violations that axe finds (${theme})`, async function () {
        this.timeout(90_000);
        const page = await open({ run: 'ioi', theme });
        await page.locator('.pairs summary').click();
        await cell(page, 'L4H6').click();
        await tooltip(page).waitFor();
        await axeFindsNothing(page);
      });
    }
  });

  describe('comes back after a reload', () => {
    it('with its order, selection, options and place', async () => {
      const page = await open({ run: 'ioi', height: 500 });
      const run = sampleRun('ioi');
      await page.getByRole('radio', { name: 'Raw logits' }).check();
      await page.locator('.map-section.positions').getByLabel('Site').selectOption('attn_out');
      await orderBy(page, 'heads', 'layers', 'strongest');
      await page.getByRole('button', { name: 'Share' }).click();
      await cell(page, 'L3H2').click();
      await page.evaluate(() => window.scrollTo({ top: 150 }));
      await eventually(async () => {
        const state = await page.evaluate(() => window.fakeHost.state());
        assert.equal(state?.runId, run.manifest.id);
        const { scroll, selection } = state.view as { scroll: { page: number }; selection: unknown };
        assert.deepEqual([scroll.page, selection], [150, { kind: 'head', layer: 3, head: 2 }]);
        assert.ok(JSON.stringify(state).length < 1000, 'no numbers in the state');
      });
      await page.reload();
      const order = sortAxis(heads(run, { pair: 'all', unit: 'raw' }), 'rows', { by: 'strongest' });
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.row-head'), order.map((layer) => `layer ${layer}`)));
      await eventually(async () => assert.equal(Number(await cell(page, 'L3H2').getAttribute('data-value')), at(heads(run, { pair: 'all', unit: 'raw' }), 3, 2)));
      assert.equal(await page.locator('.map-section.positions').getByLabel('Site').inputValue(), 'attn_out');
      assert.equal(await page.locator('.ranked tr.selected').getAttribute('data-name'), 'L3H2');
      assert.equal(await page.getByRole('columnheader', { name: 'Share' }).getAttribute('aria-sort'), 'descending');
      await eventually(async () => assert.equal(await page.evaluate(() => window.scrollY), 150));
    });

    it('keeps its order over a rerun', async () => {
      const page = await open({ run: 'ioi' });
      await orderBy(page, 'heads', 'layers', 'total');
      await page.evaluate(() => window.fakeHost.showSample('single'));
      await textIs(page.locator('.fact-list'), /14 tokens/);
      const order = sortAxis(heads(sampleRun('single')), 'rows', { by: 'total' });
      await eventually(async () => assert.deepEqual(await drawnOrder(page, 'heads', '.row-head'), order.map((layer) => `layer ${layer}`)));
    });
  });

  describe('without a run', () => {
    it('says what to do', async () => {
      const page = await open({});
      assert.match(await page.locator('.message').innerText(), /Open a prompt file and run “Attribute prompt pair”\./);
    });

    it('shows progress with a cancel button that keeps the focus', async () => {
      const page = await open({});
      await page.evaluate(() => window.fakeHost.show({ kind: 'running', title: 'ioi.prompts.json', stage: 'Loading the model', fraction: 0.1 }));
      await page.getByRole('button', { name: 'Cancel' }).focus();
      await page.evaluate(() => window.fakeHost.show({ kind: 'running', title: 'ioi.prompts.json', stage: 'Gradients', fraction: 0.62 }));
      assert.match(await page.locator('.progress').innerText(), /Gradients · 62 %/);
      assert.equal(await page.getByRole('progressbar').getAttribute('aria-valuenow'), '62');
      await page.keyboard.press('Enter');
      await eventually(async () => assert.deepEqual(await requests(page, 'act'), [{ action: 'cancel' }]));
    });

    it('keeps the earlier run in sight while its successor is computed', async () => {
      const page = await open({ run: 'ioi' });
      await page.evaluate(() => window.fakeHost.show({ kind: 'running', title: 'ioi.prompts.json', stage: 'Gradients', fraction: 0.2 }));
      assert.equal(await cell(page, 'L4H6').count(), 1);
      await page.evaluate(() => window.fakeHost.showSample('single'));
      assert.equal(await page.locator('.progress').count(), 0);
    });

    it('says what failed, with buttons that help', async () => {
      const page = await open({ run: 'ioi' });
      await page.evaluate(() => window.fakeHost.show({ kind: 'failed', title: 'ioi.prompts.json', message: 'The prompts are longer than the model’s 1024 tokens.', fromFile: true }));
      assert.match(await page.getByRole('alert').innerText(), /failed[^]*longer than the model’s 1024 tokens\./);
      await page.getByRole('button', { name: 'Show log' }).click();
      await page.getByRole('button', { name: 'Rerun' }).click();
      await eventually(async () => assert.deepEqual(await requests(page, 'act'), [{ action: 'showLog' }, { action: 'rerun' }]));
      assert.equal(await page.getByRole('button', { name: 'Open prompts' }).count(), 1);
      await page.evaluate(() => window.fakeHost.show({ kind: 'failed', title: 'selected prompts', message: 'Lengths differ.', fromFile: false }));
      assert.equal(await page.getByRole('button', { name: 'Open prompts' }).count(), 0);
    });
  });

  describe('beside an editor', () => {
    for (const run of ['single', 'gpt2'] as const) {
      it(`has the head map in sight, and a click opens its details there (${run})`, async () => {
        const page = await open({ run, width: 520, height: 780 });
        const top = (await page.locator('.map-section.heads .map').boundingBox())!.y;
        assert.ok(top < 450, `the map begins at ${top} px`);
        await cell(page, 'L0H3').click();
        await textIs(page.locator('.map-section.heads .details'), /^SelectionL0H3/);
        await screenshot(page, `beside-${run}`);
        const position = cell(page, 'L4P13');
        await position.scrollIntoViewIfNeeded();
        const before = (await position.boundingBox())!.y;
        await position.click();
        await textIs(page.locator('.map-section.positions .details'), /^SelectionL4 · 13/);
        // Scrolling goes by whole pixels.
        const after = (await position.boundingBox())!.y;
        assert.ok(Math.abs(after - before) <= 1, `the cell stays under the pointer: ${before} px, then ${after} px`);
        await page.setViewportSize({ width: 1200, height: 780 });
        await textIs(page.locator('.side .details'), /^SelectionL4 · 13/);
      });
    }

    for (const run of ['ioi', 'single', 'gpt2', 'flat'] as const) {
      it(`scrolls only its maps and tables sideways (${run})`, async () => {
        const page = await open({ run, width: 256, height: 900 });
        await page.locator('.pairs summary').click();
        await cell(page, 'L4P13').click();
        await textIs(page.locator('.map-section.positions .details'), /Strongest heads/);
        await screenshot(page, `256-${run}`);
        const wide = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((element) => !element.closest('.map-scroller > *, .chips > *, .table-scroller > *') && element.getBoundingClientRect().right + scrollX > document.documentElement.clientWidth).map((element) => `${element.tagName} ${element.className}`));
        assert.deepEqual(wide, []);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 256);
      });
    }

    it('shows where the prompts first differ', async () => {
      const page = await open({ run: 'large', width: 520 });
      await page.locator('.pairs summary').click();
      await eventually(async () => assert.ok((await page.locator('.chips').evaluate((strip) => strip.scrollLeft)) > 0));
      const [strip, token] = [await page.locator('.chips').boundingBox(), await page.locator('.chip.differs').first().boundingBox()];
      assert.ok(token!.x >= strip!.x && token!.x + token!.width <= strip!.x + strip!.width, JSON.stringify({ strip, token }));
    });
  });

  describe('follows the theme', () => {
    it('from dark to light and to high contrast', async () => {
      const page = await open({ run: 'ioi', theme: 'dark' });
      const fills = (): Promise<string[]> => page.$$eval('.map-section.heads .cell', (cells) => cells.map((element) => getComputedStyle(element).backgroundColor));
      const dark = await fills();
      await page.evaluate(() => window.fakeHost.setTheme('light'));
      await eventually(async () => assert.notDeepEqual(await fills(), dark));
      assert.equal(await page.locator('.map-section.heads .legend-bar').getAttribute('title'), null);
      await page.evaluate(() => window.fakeHost.setTheme('contrast'));
      await eventually(async () => assert.equal(await page.locator('.map-section.heads .legend-bar').getAttribute('title'), '0 has the colour of the background'));
      await cell(page, 'L4H6').hover();
      const border = await cell(page, 'L0H0').evaluate((element) => getComputedStyle(element).border);
      assert.equal(border, '1px solid rgb(111, 195, 223)');
      const { boxShadow, borderColor } = await tooltip(page).evaluate((element) => ({ ...getComputedStyle(element) }));
      assert.deepEqual([boxShadow, borderColor], ['none', 'rgb(111, 195, 223)']);
    });

    for (const theme of ['dark', 'light', 'contrast', 'contrastLight'] as const) {
      it(`leaves a screenshot (${theme})`, async () => {
        const page = await open({ run: 'ioi', theme, height: 1300 });
        await cell(page, 'L3H2').click();
        await cell(page, 'L2P9').hover();
        await tooltip(page).locator('.behind li').first().waitFor();
        await screenshot(page, theme);
      });
    }

    it('leaves screenshots of one pair, a narrow panel, and GPT-2 small’s size', async () => {
      const pair = await open({ run: 'ioi', theme: 'light', width: 1100, height: 1300 });
      await pair.getByLabel('Pairs').selectOption('1');
      await pair.getByRole('radio', { name: 'Raw logits' }).check();
      await pair.locator('.map-section.heads .row-head').nth(3).click();
      await cell(pair, 'L4P13').click();
      await textIs(pair.locator('.details'), /Strongest heads of layer 4 here/);
      await screenshot(pair, 'pair');
      const narrow = await open({ run: 'gpt2', theme: 'dark', width: 760, height: 1900 });
      await cell(narrow, 'L9H9').hover();
      await tooltip(narrow).locator('.behind li').first().waitFor();
      await screenshot(narrow, 'narrow');
      const empty = await open({ theme: 'dark', height: 400 });
      await screenshot(empty, 'empty');
    });
  });

  describe('with a large run (48 layers × 25 heads × 1024 positions)', () => {
    it('draws only what is in sight, and reaches the rest', async function () {
      this.timeout(90_000);
      const page = await open({ run: 'large' });
      const run = sampleRun('large');
      const count = await page.locator('.map.tall .cell').count();
      assert.ok(count < 4000, `${count} cells`);
      await page.locator('.map-section.positions .cell[data-name="L0P0"]').focus();
      await page.keyboard.press('End');
      await eventually(async () => assert.equal(await focusedName(page), 'L0P1023'));
      await page.keyboard.press('Control+End');
      await eventually(async () => assert.equal(await focusedName(page), 'L47P1023'));
      const last = cell(page, 'L47P1023');
      assert.equal(Number(await last.getAttribute('data-value')), at(positionMap(run), 47, 1023));
      const [box, scroller] = [await last.boundingBox(), await page.locator('.map-section.positions .map-scroller').boundingBox()];
      assert.ok(box!.x >= scroller!.x && box!.x + box!.width <= scroller!.x + scroller!.width + 1, 'in sight');
      assert.equal(await page.locator('.map.tall .row-head').first().evaluate((element) => element.getBoundingClientRect().left === element.closest('.map-scroller')!.getBoundingClientRect().left), true, 'headers stay');
      await screenshot(page, 'large');
    });

    it('notes its frame times', async function () {
      this.timeout(90_000);
      const page = await open({ run: 'large', reducedMotion: false });
      const scrolling = await page.evaluate(async () => {
        const scroller = document.querySelector('.map-section.positions .map-scroller')!;
        scroller.scrollIntoView();
        const times: number[] = [];
        let before = performance.now();
        for (let frame = 0; frame < 120; frame++) {
          scroller.scrollLeft += 60;
          await new Promise(requestAnimationFrame);
          const now = performance.now();
          times.push(now - before);
          before = now;
        }
        return times.sort((a, b) => a - b);
      });
      const start = Date.now();
      await orderBy(page, 'positions', 'positions', 'strongest');
      await textIs(page.locator('.map.tall .column-head').first(), /1023/);
      const quantile = (share: number): string => scrolling[Math.floor(scrolling.length * share)]!.toFixed(0);
      console.log(`      scrolling 48 × 1024 cells: ${quantile(0.5)} ms a frame (median), ${quantile(0.95)} ms (95 %); sorting them: ${Date.now() - start} ms`);
    });
  });
});
