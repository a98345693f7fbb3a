import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { SAMPLE } from './samples';
import { Workbench } from './workbench';

/** What the README promises and shows. Its picture is a copy of this one: look at it after a change of the panel. */
describe('the README', () => {
  let workbench: Workbench;
  before(async () => {
    workbench = await Workbench.open({ 'ioi.prompts.json': await readFile(SAMPLE, 'utf8') });
  });
  after(() => workbench.close());

  it("shows the sample's heatmaps beside the prompts, with the heads behind a position", async () => {
    await workbench.page.setViewportSize({ width: 1640, height: 1120 });
    await workbench.openFile('ioi.prompts.json');
    await workbench.command('View: Toggle Primary Side Bar Visibility');
    await workbench.command('Circuit Explorer: Attribute prompt pair');
    // The cursor is in no pair.
    await workbench.quickPickRow('All 8 pairs').click();
    await workbench.panel.waitForRun('ioi.prompts.json');
    await workbench.command('Notifications: Clear All Notifications');
    const { value, behind } = await workbench.panel.hover('positions', 'L3P13');
    await workbench.screenshot('readme');
    assert.ok(behind.length > 0 && behind.every(({ label }) => label.startsWith('L3H')));
    assert.ok(Math.abs(behind.reduce((sum, head) => sum + head.value, 0) - value) < 0.01, 'the heads of a layer do not add up to its cell');
  });

  it('names only files that exist', async () => {
    const readme = await readFile('README.md', 'utf8');
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => link!);
    assert.ok(links.length > 5);
    for (const link of links) await assert.doesNotReject(readFile(link).catch((error: NodeJS.ErrnoException) => (error.code === 'EISDIR' ? '' : Promise.reject(error))), link);
  });
});
