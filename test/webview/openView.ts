import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Locator, Page } from 'playwright-core';
import { closeStage, openPanel, openStage, type OpenOptions, type OpenPanel } from './panelPage';
import { THEMES, type ThemeName } from './themes';

/** What the tests of the panel's views have in common. */

/** Call in a `describe`: starts and ends the browser, and checks after each test that nothing went wrong in the page. */
export function stageForViews(): (view: string, options: OpenOptions) => Promise<Page> {
  const opened: OpenPanel[] = [];
  before(async function () {
    await openStage();
  });
  after(closeStage);
  afterEach(async () => {
    for (const { context, problems } of opened.splice(0)) {
      const found = await problems();
      await context.close();
      assert.deepEqual(found, [], 'errors of the script, or refusals of the Content Security Policy');
    }
  });
  return async (view, options) => {
    const panel = await openPanel(options);
    opened.push(panel);
    await panel.page.getByRole('tab', { name: view }).click();
    return panel.page;
  };
}

export async function eventually(check: () => Promise<void>): Promise<void> {
  const end = Date.now() + 60_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }
}

export async function textIs(locator: Locator, expected: string | RegExp): Promise<void> {
  await eventually(async () => {
    const text = (await locator.textContent()) ?? '';
    if (typeof expected === 'string') assert.equal(text, expected);
    else assert.match(text, expected);
  });
}

export async function requests(page: Page, method: string): Promise<Record<string, unknown>[]> {
  return page.evaluate((name) => window.fakeHost.requests.filter((request) => request.method === name).map(({ params }) => params as Record<string, unknown>), method);
}

export async function axeFindsNothing(page: Page): Promise<void> {
  if (!(await page.evaluate<boolean>(`'axe' in window`))) await page.evaluate(await readFile(createRequire(__filename).resolve('axe-core/axe.min.js'), 'utf8'));
  // Every rule on every element; only what is no violation is not described.
  const { violations } = await page.evaluate<AxeResults>(`axe.run(document, { resultTypes: ['violations'], selectors: false })`);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`), []);
}

const THEME_NAMES = Object.keys(THEMES) as ThemeName[];

/** Does the same in every theme, one after the other, in a page that is drawn in the first one, dark: a change of theme restyles and redraws it. */
export async function inEveryTheme(page: Page, look: (theme: ThemeName) => Promise<void>): Promise<void> {
  for (const theme of THEME_NAMES) {
    await page.evaluate(async (name) => {
      window.fakeHost.setTheme(name);
      // What draws by the theme's colours hears of the change first, and draws in the next frame.
      for (let frame = 0; frame < 3; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
    }, theme);
    await look(theme);
  }
}

/** Elements that reach beyond the page, other than inside boxes that scroll on their own. */
export async function sticksOut(page: Page, boxes: string): Promise<string[]> {
  return page.evaluate(
    (scrolling) =>
      [...document.querySelectorAll('body *')]
        .filter((element) => !element.closest(scrolling) && element.getBoundingClientRect().right + scrollX > document.documentElement.clientWidth + 0.5)
        .map((element) => `${element.tagName} ${element.getAttribute('class')}`),
    boxes,
  );
}
