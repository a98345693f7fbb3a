import { PARK, promptFile, SHOPS } from './samples';
import { Workbench } from './workbench';

describe('cancelling', () => {
  let workbench: Workbench;

  before(async () => {
    // Enough pairs for many seconds, each with a prefix of its own so that nothing is shared.
    const names = ['John', 'Mary', 'Tom', 'James', 'Dan', 'Sid', 'Martin', 'Amy'];
    const many = Array.from({ length: 1500 }, (_, index) => {
      const filler = Array.from({ length: 5 }, (_unused, digit) => names[(index >> (3 * digit)) & 7]).join(' and ');
      return { ...SHOPS, name: `pair ${index}`, clean: `${filler} went. ${SHOPS.clean}`, corrupted: `${filler} went. ${SHOPS.corrupted}` };
    });
    workbench = await Workbench.open({ 'many.prompts.json': JSON.stringify({ pairs: many }), 'one.prompts.json': promptFile(PARK) });
  });
  after(() => workbench.close());

  for (const place of ['panel', 'notification'] as const) {
    it(`stops a long run from the ${place}, and the next run works at once`, async () => {
      await workbench.explorerMenu('many.prompts.json', 'Rerun attribution');
      const { panel } = workbench;
      await panel.progress.waitFor();
      await panel.frame.locator('.progress .stage', { hasText: 'part' }).waitFor();
      await workbench.screenshot(`running-${place}`);
      const cancel = place === 'panel' ? panel.progress.getByText('Cancel') : workbench.notification('Attributing many.prompts.json').getByText('Cancel');
      await cancel.click();
      const pressed = Date.now();
      await panel.progress.waitFor({ state: 'detached' });
      const stopped = Date.now() - pressed;
      await workbench.explorerMenu('one.prompts.json', 'Rerun attribution');
      await workbench.tab('Attribution: one.prompts.json').waitFor();
      await workbench.panel.waitForRun('one.prompts.json');
      console.log(`      cancelled in ${stopped} ms, next run drawn after ${Date.now() - pressed} ms (screen and mouse included)`);
      await workbench.tab('Attribution: many.prompts.json').click();
      await panel.frame.getByText('Cancelled').waitFor();
    });
  }
});
