import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { STEPS } from '../../webview/paths/edgeScale';
import { axeFindsNothing, eventually, inEveryTheme, stageForViews, sticksOut, textIs } from './openView';
import { count, drawn, edgeRows, graph, node, topBox } from './pathsPage';
import { screenshot } from './panelPage';

describe('the paths view in a browser: how it looks and how fast it is', () => {
  const open = stageForViews();
  const show = async (options = {}): Promise<Page> => {
    const page = await open('Paths', { run: 'gpt2', height: 1100, ...options });
    await drawn(page, 40);
    return page;
  };

  it('has no violations that axe finds, and leaves screenshots, in every theme', async function () {
    const page = await show();
    for (const [name, given] of [['a9.h9', 'name mover'], ['a9.h6', 'name mover'], ['a8.h6', 'S-inhibition']] as const) {
      await node(page, name).click();
      await page.getByLabel(/^Name of L/).fill(given);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Escape');
      await drawn(page, 40);
    }
    await page.getByRole('button', { name: 'Verify top' }).click();
    await eventually(async () => assert.notEqual(await edgeRows(page).first().locator('td').nth(3).textContent(), ''));
    await page.evaluate(() => document.querySelector('.method-line')!.scrollIntoView());
    await inEveryTheme(page, async (theme) => {
      await screenshot(page, `paths-${theme}`);
      if (!theme.startsWith('contrast')) return;
      const colours = await page.evaluate(() => ['.tab[aria-selected="true"]', '.tab-line'].map((part) => getComputedStyle(document.querySelector(part)!).borderBottomColor));
      assert.notEqual(colours[0], colours[1], 'the selected tab is not marked');
    });
    await node(page, 'a8.h6').click();
    await eventually(async () => assert.equal(await page.locator('.node-table').count(), 4));
    await edgeRows(page).nth(5).getByRole('button').click();
    await eventually(async () => assert.equal(await page.locator('.position-strip').count(), 2));
    await page.evaluate(() => document.querySelector('.method-line')!.scrollIntoView());
    await inEveryTheme(page, async (theme) => {
      await axeFindsNothing(page);
      await screenshot(page, `paths-focus-${theme}`);
    });
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('button', { name: 'Back' }).click();
    await drawn(page, 40);
    await page.getByRole('radio', { name: 'Heatmap' }).check();
    await page.evaluate(() => document.querySelector('.method-line')!.scrollIntoView());
    await inEveryTheme(page, async (theme) => {
      await axeFindsNothing(page);
      await screenshot(page, `paths-heatmap-${theme}`);
    });
  });

  it('explains itself without edges in every theme', async () => {
    for (const theme of ['dark', 'contrastLight'] as const) {
      const page = await open('Paths', { run: 'ioi', theme });
      await page.getByRole('spinbutton', { name: 'Steps' }).waitFor();
      await axeFindsNothing(page);
      await page.evaluate(() => document.querySelector('.method-line')!.scrollIntoView());
      await screenshot(page, `paths-method-${theme}`);
    }
  });

  it('leaves no empty height above and below what is drawn', async () => {
    const page = await show({ width: 560 });
    const heights = await page.evaluate(() => ['.graph-stage', '.node-layer'].map((part) => document.querySelector(part)!.getBoundingClientRect().height));
    assert.ok(heights[0]! - heights[1]! < 40, `${heights[1]} of ${heights[0]} pixels are drawn on`);
  });

  it('follows the theme', async () => {
    const page = await show({ theme: 'dark' });
    const fill = async (): Promise<string> => node(page, 'a9.h9').locator('.node-body').evaluate((body) => (body as SVGElement).style.fill);
    const inDark = await fill();
    await page.evaluate(() => window.fakeHost.setTheme('light'));
    await eventually(async () => assert.notEqual(await fill(), inDark));
  });

  for (const width of [360, 520, 900]) {
    it(`in a panel of ${width} pixels scrolls only its own boxes`, async () => {
      const page = await show({ width });
      await edgeRows(page).nth(3).getByRole('button').click();
      await eventually(async () => assert.equal(await page.locator('.position-strip').count(), 2));
      const boxes = '.chips > *, .table-scroller > *, .map-scroller > *, .strip-scroller > *, .graph-stage > *';
      assert.deepEqual(await sticksOut(page, boxes), []);
      await page.evaluate(() => document.querySelector('.method-line')!.scrollIntoView());
      await screenshot(page, `paths-narrow-${width}`);
      await node(page, 'a8.h6').click();
      await eventually(async () => assert.equal(await page.locator('.node-table').count(), 4));
      assert.deepEqual(await sticksOut(page, boxes), []);
      await page.getByRole('radio', { name: 'Heatmap' }).check();
      assert.deepEqual(await sticksOut(page, boxes), []);
    });
  }

  it('moves 2,000 edges in a few dozen strokes per frame', async function () {
    const page = await show({ width: 1280 });
    await topBox(page).fill('2000');
    await drawn(page, 2000);
    await textIs(count(page), '2,000 of 32,491 edges');
    await page.evaluate(() => document.querySelector('.graph-stage')!.scrollIntoView());
    await screenshot(page, 'paths-2000');
    const strokes = Number(await page.locator('.edge-canvas').first().getAttribute('data-strokes'));
    assert.ok(strokes >= 2 && strokes <= 2 * STEPS, `${strokes} strokes`);
    const elements = await page.locator('.graph-stage *').count();
    assert.ok(elements < 2500, `${elements} elements, whatever the number of edges`);
    const box = (await graph(page).boundingBox())!;
    await graph(page).focus();
    const figures: string[] = [];
    for (const kind of ['pan', 'zoom'] as const) {
      await startFrames(page);
      await page.mouse.move(box.x + 12, box.y + 12);
      if (kind === 'pan') await page.mouse.down();
      for (let step = 0; step < 50; step++) {
        if (kind === 'pan') await page.mouse.move(box.x + 12 + step * 4, box.y + 12 + step * 3);
        else await page.mouse.wheel(0, step < 25 ? -40 : 40);
      }
      if (kind === 'pan') await page.mouse.up();
      figures.push(`${kind}: ${await framesSince(page)}`);
    }
    console.log(`      2,000 edges, ${strokes} strokes, ${elements} elements; ${figures.join('; ')}`);
  });
});

/** Times of frames from now on, kept in the page. As text, because what the bundler makes of named functions does not run there. */
async function startFrames(page: Page): Promise<void> {
  await page.evaluate(`{
    const frames = [];
    let last = performance.now();
    window.frameTimes = frames;
    (function tick(now) {
      frames.push(now - last);
      last = now;
      if (window.frameTimes === frames) requestAnimationFrame(tick);
    })(last);
  }`);
}

async function framesSince(page: Page): Promise<string> {
  const frames = (await page.evaluate('[window.frameTimes.slice(2), window.frameTimes = undefined][0]')) as number[];
  frames.sort((a, b) => a - b);
  const at = (share: number): string => frames[Math.min(frames.length - 1, Math.floor(frames.length * share))]!.toFixed(1);
  return `${frames.length} frames, median ${at(0.5)} ms, 95 % ${at(0.95)} ms`;
}
