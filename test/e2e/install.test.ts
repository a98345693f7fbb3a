import assert from 'node:assert/strict';
import { session } from './session';
import { Workbench } from './workbench';

describe('the packed VSIX in VS Code', () => {
  let workbench: Workbench;
  before(async () => {
    workbench = await Workbench.open({ 'notes.txt': 'nothing to attribute\n' });
  });
  after(() => workbench.close());

  it('is installed', async () => {
    const installed = await session().server.installedExtensions();
    assert.equal(installed.length, 1);
    assert.match(installed[0]!, /circuit-explorer\.circuit-explorer-\d/);
  });

  it('offers its commands in the palette', async () => {
    await workbench.page.keyboard.press('F1');
    await workbench.page.locator('.quick-input-widget input.input').fill('>Attribute prompt pair');
    await workbench.quickPickRow('Circuit Explorer: Attribute prompt pair').waitFor();
    await workbench.screenshot('palette');
    await workbench.page.keyboard.press('Escape');
  });
});
