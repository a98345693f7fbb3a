import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { closeStage, openPanel, openStage, type OpenOptions, type OpenPanel } from './panelPage';

/** What the tests of the panel in a browser share. */

export const cell = (page: Page, name: string): Locator => page.locator(`.cell[data-name="${name}"]`);
export const tooltip = (page: Page): Locator => page.getByRole('tooltip');
export const live = (page: Page): Locator => page.locator('#live');

export async function focusedName(page: Page): Promise<string | null> {
  return page.evaluate(() => {
    const { activeElement } = document;
    return activeElement instanceof HTMLElement ? (activeElement.dataset['name'] ?? activeElement.getAttribute('aria-label')) : null;
  });
}

/** Opens panels in a describe block; what their scripts or the policy complained of fails the test. */
export function withPanels(): (options: OpenOptions) => Promise<Page> {
  const panels: OpenPanel[] = [];
  before(async function () {
    this.timeout(120_000);
    await openStage();
  });
  after(closeStage);
  afterEach(async () => {
    for (const { context, problems } of panels.splice(0)) {
      const found = await problems();
      await context.close();
      assert.deepEqual(found, [], 'errors of the script, or refusals of the Content Security Policy');
    }
  });
  return async (options) => {
    const panel = await openPanel(options);
    panels.push(panel);
    return panel.page;
  };
}
