import { stageForViews, textIs } from './openView';
import { screenshot } from './panelPage';

describe('the paths view in a browser', () => {
  const open = stageForViews();
  it('draws', async () => {
    const page = await open('Paths', { run: 'gpt2' });
    await textIs(page.locator('.edge-count'), /of/);
    await page.locator('.graph-stage').scrollIntoViewIfNeeded();
    await screenshot(page, 'paths-first');
  });
});
