import assert from 'node:assert/strict';
import type { Attribution, Attributions } from '../../src/editor/attributions';
import { actOfPanel } from '../../src/editor/panelActions';
import { SELECTED_PROMPTS } from '../../src/editor/panels';
import { exampleRun } from '../unit/runs/exampleRun';
import { activated } from './extension';
import { openPanel, silentLog } from './fakePanel';

const log = silentLog();
const { errors } = log;

describe('the panel', () => {
  beforeEach(() => void errors.splice(0));

  it('that is loaded anew while a run is computed shows the earlier run, then the progress', async () => {
    const { panel, host, shown } = openPanel({ log });
    panel.showRun(exampleRun());
    panel.show({ kind: 'running', title: 'a', stage: 'Attributing', fraction: 0.5 });
    shown.push(await host.ready({}));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(shown.map(({ kind }) => kind), ['run', 'running']);
  });

  it('that is loaded anew after a rerun has failed shows the earlier run, then what failed', async () => {
    const { panel, host, shown } = openPanel({ log });
    panel.showRun(exampleRun());
    panel.show({ kind: 'failed', title: 'a', message: 'It failed.', fromFile: false });
    shown.push(await host.ready({}));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(shown.map(({ kind }) => kind), ['run', 'failed']);
  });

  it('that is loaded anew before it has drawn is no error', async () => {
    const { panel, host } = openPanel({ log });
    await host.ready({});
    panel.show({ kind: 'running', title: 'a', stage: 'Attributing', fraction: 0.5 });
    await host.ready({});
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(errors, []);
  });

  it('reruns what is on show, and tries again what failed', async () => {
    const { panel } = openPanel({ log });
    const failing: Attribution = { title: 'what failed', panelKey: SELECTED_PROMPTS, plan: () => Promise.reject(new Error('never asked')) };
    const started: string[] = [];
    const attributions: Attributions = {
      runAll: (list) => {
        started.push(...list.map(({ title }) => title));
        return Promise.resolve([]);
      },
      cancel: () => undefined,
      lastTried: () => failing,
    };
    const run = exampleRun();
    panel.showRun(run);
    await actOfPanel('rerun', panel, { attributions, log });
    panel.show({ kind: 'failed', title: 'what failed', message: 'It failed.', fromFile: false });
    await actOfPanel('rerun', panel, { attributions, log });
    await actOfPanel('retry', panel, { attributions, log });
    const { source, title } = run.manifest;
    const ofRun = source ? source.uri.split('/').pop() : title;
    assert.deepEqual(started, [ofRun, ofRun, 'what failed']);
  });

  it('keeps what it shows when a button of it cannot do its work', async () => {
    const { panel } = openPanel({ log });
    const attributions = (await activated()).attributions;
    panel.showRun(exampleRun());
    await actOfPanel('openSource', panel, { attributions, log });
    assert.deepEqual(errors, ['The panel\'s button openSource']);
    assert.equal(panel.state, 'run');
  });
});
