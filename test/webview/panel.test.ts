import assert from 'node:assert/strict';
import { rankCells, sortAxis } from '../../src/shared/ranking';
import type { ViewOptions } from '../../src/shared/views';
import { formatScore } from '../../webview/model/format';
import { eventually, requests, textIs } from './openView';
import { ALL, at, cell, detail, drawnOrder, focusedName, grid, heads, orderBy, positionMap, tooltip, withPanels } from './panelTests';
import { sampleRun } from './sampleRuns';

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
      const one: ViewOptions = { pair: 7, unit: 'raw', of: 'pair' };
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, one, 'last'), 4, 6)));
      // The pair is of the other length, so the positions map goes there by itself.
      await eventually(async () => assert.equal(Number(await cell(page, 'L4P14').getAttribute('data-value')), at(positionMap(run, 1, one), 4, 14)));
      await textIs(page.locator('.map-section.heads > .caption').last(), /raw logits.*Amy gives the drink: its own effect$/);
      await page.getByRole('radio', { name: 'Share of mean' }).check();
      const share: ViewOptions = { ...one, of: 'mean' };
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, share, 'last'), 4, 6)));
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
      await eventually(async () => assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, { pair: 2, unit: 'normalised', of: 'pair' }), 4, 6)));
      await page.waitForTimeout(150);
      assert.equal(Number(await cell(page, 'L4H6').getAttribute('data-value')), at(heads(run, { pair: 2, unit: 'normalised', of: 'pair' }), 4, 6));
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
});
