import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { headScores, layerDetail, positionScores, type Matrix, type ViewOptions } from '../../src/shared/views';
import type { Run } from '../../src/shared/run';
import type { SiteName } from '../../src/shared/sites';
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

/** The numbers that the sample's host answers with. */
export const ALL: ViewOptions = { pair: 'all', unit: 'normalised' };

export const heads = (run: Run, options = ALL, positions: 'all' | 'last' = 'all', site: SiteName = 'z'): Matrix => headScores(run.manifest, run.arrays, site, positions, options);
export const positionMap = (run: Run, group = 0, options = ALL, site: SiteName = 'z'): Matrix => positionScores(run.manifest, run.arrays, group, site, options)!;
export const detail = (run: Run, group: number, layer: number, options = ALL): Matrix => layerDetail(run.manifest, run.arrays, 'z', group, layer, options)!;
export const at = ({ values, columns }: Matrix, row: number, column: number): number => values[row * columns + column]!;

export const grid = (page: Page, name: 'Layer × head' | 'Layer × position'): Locator => page.getByRole('grid', { name });

/** Order of an axis as drawn: row or column headers by their place on the screen. */
export async function drawnOrder(page: Page, map: 'heads' | 'positions', header: '.row-head' | '.column-head'): Promise<string[]> {
  return page.$$eval(`.map-section.${map} ${header}`, (elements) =>
    elements
      .map((element) => ({ label: element.getAttribute('aria-label')!, place: element.getBoundingClientRect() }))
      .sort((a, b) => a.place.top - b.place.top || a.place.left - b.place.left)
      .map(({ label }) => label),
  );
}

/** Chooses how an axis is ordered. */
export async function orderBy(page: Page, map: 'heads' | 'positions', axis: string, by: string): Promise<void> {
  const section = page.locator(`.map-section.${map}`);
  if (!(await section.locator('.further').isVisible())) await section.getByRole('button', { name: 'More' }).click();
  await section.getByLabel(`Order of ${axis}`).selectOption(by);
}

/** Opens panels in a describe block; what their scripts or the policy complained of fails the test. */
export function withPanels(): (options: OpenOptions) => Promise<Page> {
  const panels: OpenPanel[] = [];
  before(async function () {
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
