import assert from 'node:assert/strict';
import { rankCells, sortAxis } from '../../src/shared/ranking';
import { formatScore } from '../../webview/model/format';
import { axeFindsNothing, eventually, inEveryTheme, requests, textIs } from './openView';
import { screenshot } from './panelPage';
import { at, cell, drawnOrder, focusedName, heads, live, orderBy, positionMap, tooltip, withPanels } from './panelTests';
import { sampleRun } from './sampleRuns';

describe('the panel in use', () => {
  const open = withPanels();

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

    it('has no violations that axe finds in every theme', async function () {
      const page = await open({ run: 'ioi' });
      await page.locator('.pairs summary').click();
      await cell(page, 'L4H6').click();
      await tooltip(page).waitFor();
      await inEveryTheme(page, async () => {
        assert.ok(await tooltip(page).isVisible());
        await axeFindsNothing(page);
      });
    });
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
      const page = await open({});
      await page.evaluate(() => window.fakeHost.show({ kind: 'failed', title: 'ioi.prompts.json', message: 'The prompts are longer than the model’s 1024 tokens.', fromFile: true }));
      assert.match(await page.getByRole('alert').innerText(), /failed[^]*longer than the model’s 1024 tokens\./);
      await page.getByRole('button', { name: 'Show log' }).click();
      await page.getByRole('button', { name: 'Try again' }).click();
      await eventually(async () => assert.deepEqual(await requests(page, 'act'), [{ action: 'showLog' }, { action: 'retry' }]));
      assert.equal(await page.getByRole('button', { name: 'Open prompts' }).count(), 1);
      await page.evaluate(() => window.fakeHost.show({ kind: 'failed', title: 'selected prompts', message: 'Lengths differ.', fromFile: false }));
      assert.equal(await page.getByRole('button', { name: 'Open prompts' }).count(), 0);
    });
  });

  it('keeps the earlier run under what failed, until the next run begins', async () => {
    const page = await open({ run: 'ioi' });
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.evaluate(() => window.fakeHost.show({ kind: 'running', title: 'ioi.prompts.json', stage: 'Gradients', fraction: 0.2 }));
    await page.evaluate(() => window.fakeHost.show({ kind: 'failed', title: 'ioi.prompts.json', message: 'There is no such head.', fromFile: true }));
    const alert = page.getByRole('alert');
    assert.match(await alert.innerText(), /There is no such head\./);
    assert.equal(await page.locator('.progress').count(), 0);
    assert.equal(await cell(page, 'L4H6').count(), 1);
    assert.equal(await page.getByRole('button', { name: 'Run again' }).isVisible(), true, 'the form keeps what was chosen');
    await page.getByRole('button', { name: 'Rerun' }).click();
    await page.getByRole('button', { name: 'Back to the file’s settings' }).click();
    await eventually(async () => assert.deepEqual(await requests(page, 'act'), [{ action: 'rerun' }, { action: 'fileSettings' }]));
    await page.evaluate(() => window.fakeHost.show({ kind: 'running', title: 'ioi.prompts.json', stage: 'Gradients', fraction: 0.1 }));
    assert.equal(await alert.count(), 0);
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

    it('brings the strongest column into sight at first, not again, and not where the person had scrolled to', async function () {
      const page = await open({ run: 'large' });
      const [strongest] = rankCells(positionMap(sampleRun('large')));
      const scroller = page.locator('.map-section.positions .map-scroller');
      const left = (): Promise<number> => scroller.evaluate((element) => element.scrollLeft);
      await eventually(async () => assert.ok((await left()) > 0));
      const [box, sight] = [(await cell(page, `L${strongest!.row}P${strongest!.column}`).boundingBox())!, (await scroller.boundingBox())!];
      assert.ok(box.x >= sight.x && box.x + box.width <= sight.x + sight.width + 1, 'in sight');
      await scroller.evaluate((element) => element.scrollTo({ left: 300 }));
      await page.getByRole('radio', { name: 'Raw logits' }).check();
      await page.waitForTimeout(1000);
      assert.equal(await left(), 300);
      await page.reload();
      await cell(page, 'L0P20').waitFor();
      await eventually(async () => assert.equal(await left(), 300));
    });

    it('notes its frame times', async function () {
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
