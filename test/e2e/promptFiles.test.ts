import assert from 'node:assert/strict';
import { PARK, promptFile, SHOPS } from './samples';
import { Workbench } from './workbench';

describe('editing a prompt file', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await Workbench.open({
      'sound.prompts.json': promptFile(SHOPS),
      'space.prompts.json': promptFile({ ...SHOPS, correct: 'Mary' }),
      'lengths.prompts.json': promptFile({ ...SHOPS, corrupted: `${SHOPS.corrupted} the` }),
      'field.prompts.json': promptFile(PARK).replace('"name"', '"nmae"'),
    });
  });
  after(() => workbench.close());

  it('has no complaint about a sound file, and says so in the hover with its tokens', async () => {
    const editor = await workbench.openFile('sound.prompts.json');
    const hover = await workbench.hoverText(editor.locator('.view-line', { hasText: '"clean"' }).locator('span', { hasText: 'shops' }).last(), 'clean');
    await workbench.screenshot('hover-prompt');
    assert.match(await hover.innerText(), /John/);
    assert.equal(await editor.locator('.squiggly-error, .squiggly-warning').count(), 0);
  });

  it('warns of a missing leading space, and the quick fix puts it in', async () => {
    const editor = await workbench.openFile('space.prompts.json');
    await editor.locator('.squiggly-warning, .squiggly-error').first().waitFor();
    await workbench.goTo(await workbench.lineOf('space.prompts.json', '"correct"'), 20);
    await workbench.page.keyboard.press('Control+.');
    const fix = workbench.page.locator('.action-widget .monaco-list-row.action', { hasText: /space/i }).first();
    await fix.waitFor();
    await workbench.screenshot('quick-fix');
    await fix.click();
    await editor.locator('.squiggly-warning, .squiggly-error').first().waitFor({ state: 'detached' });
    await workbench.page.keyboard.press('Control+S');
    await workbench.settles(async () => (JSON.parse(await workbench.read('space.prompts.json')) as { pairs: (typeof SHOPS)[] }).pairs[0]!.correct, ' Mary');
  });

  it('says by how much the token counts differ, in the list of problems', async () => {
    await workbench.openFile('lengths.prompts.json');
    await workbench.command('Problems: Focus on Problems View');
    await workbench.problem(/14.*15/).waitFor();
    await workbench.screenshot('problems');
  });

  it('knows from its schema which fields there are', async () => {
    await workbench.openFile('field.prompts.json');
    await workbench.problem('nmae').waitFor();
  });

  it('is not run while it is faulty: the panel says what is wrong', async () => {
    await workbench.explorerMenu('lengths.prompts.json', 'Rerun attribution');
    await workbench.panel.failure.waitFor();
    assert.match(await workbench.panel.failure.innerText(), /14|15/);
    await workbench.screenshot('failed');
  });
});
