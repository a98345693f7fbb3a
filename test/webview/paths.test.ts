import { stageForViews, textIs } from './openView';
import { screenshot } from './panelPage';

describe('the paths view in a browser', () => {
  const open = stageForViews();
  it('draws', async () => {
    for (const theme of ['dark','light'] as const) {
    const page = await open('Paths', { run: 'gpt2', theme, height: 1100 });
    await textIs(page.locator('.edge-count'), /of/);
    await page.locator('.trail').scrollIntoViewIfNeeded();
    await page.locator('.graph-node[data-name="a9.h9"]').hover();
    await screenshot(page, 'paths-'+theme);
    await page.locator('#edge-top').fill('2000');
    await textIs(page.locator('.edge-count'), '2,000 of 32,491 edges');
    await screenshot(page, 'paths-2000-'+theme);
    await page.locator('.graph-node[data-name="a8.h6"]').click();
    await page.locator('#edge-top').fill('20');
    await textIs(page.locator('.edge-count'), '20 of 32,491 edges');
    await page.locator('.edge-table .name button').nth(1).click();
    await textIs(page.locator('.position-strip').first(), /By/);
    await screenshot(page, 'paths-focus-'+theme);
    }
  });
});
