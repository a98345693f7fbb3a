import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { PARK, promptFile, SAMPLE } from './samples';
import { Workbench, type Theme } from './workbench';

describe('the panel over time', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await Workbench.open({ 'sample.prompts.json': await readFile(SAMPLE, 'utf8'), 'other.prompts.json': promptFile(PARK) });
    await workbench.explorerMenu('sample.prompts.json', 'Rerun attribution');
    await workbench.panel.waitForRun('sample.prompts.json');
    await workbench.panel.choose('heads', 'Order of heads', 'by strongest');
  });
  after(() => workbench.close());

  /** What a person would miss if it were lost. */
  async function shown(): Promise<{ values: [string, number][]; columns: string[]; computedAt: string | null }> {
    const { panel } = workbench;
    return {
      values: [...(await panel.values('heads'))].sort(),
      columns: await panel.order('heads', 'column'),
      computedAt: await panel.frame.locator('.facts time').getAttribute('datetime'),
    };
  }

  it('survives a reload of the window with its run and its sort, computing nothing anew', async () => {
    const before = await workbench.settled(shown);
    assert.notDeepEqual(before.columns, [...before.columns].sort(), 'the sort changed nothing');
    await workbench.reload();
    await workbench.panel.waitForRun('sample.prompts.json');
    await workbench.settles(shown, before);
    await workbench.screenshot('reloaded');
  });

  it('comes back after being hidden behind another tab', async () => {
    const before = await workbench.settled(shown);
    await workbench.explorerMenu('other.prompts.json', 'Rerun attribution');
    await workbench.tab('Attribution: other.prompts.json').click();
    await workbench.panel.waitForRun('other.prompts.json');
    await workbench.tab('Attribution: sample.prompts.json').click();
    await workbench.panel.waitForRun('sample.prompts.json');
    await workbench.settles(shown, before);
  });

  const themes: { theme: Theme; name: string; bodyClass: string }[] = [
    { theme: 'Default Light Modern', name: 'light', bodyClass: 'vscode-light' },
    { theme: 'Default High Contrast', name: 'high-contrast', bodyClass: 'vscode-high-contrast' },
    { theme: 'Default High Contrast Light', name: 'high-contrast-light', bodyClass: 'vscode-high-contrast-light' },
    { theme: 'Default Dark Modern', name: 'dark', bodyClass: 'vscode-dark' },
  ];
  for (const { theme, name, bodyClass } of themes) {
    it(`follows the theme ${theme}`, async () => {
      await workbench.settings({ 'workbench.colorTheme': theme });
      const { frame } = workbench.panel;
      await frame.locator(`body.${bodyClass}`).waitFor();
      const strongest = workbench.panel.cell('heads', (await workbench.panel.tableNames())[0]!);
      await strongest.hover();
      await workbench.panel.tooltip.locator('.behind li').first().waitFor();
      await workbench.screenshot(`panel-${name}`);
      const { cell, page } = await strongest.evaluate((element) => ({
        cell: getComputedStyle(element).backgroundColor,
        page: getComputedStyle(document.body).backgroundColor,
      }));
      assert.notEqual(cell, page, 'the strongest head cannot be told from the page');
    });
  }
});
