import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { PrivateApi } from '../../src/extension';
import type { AttributionJob } from '../../src/runner/runner';
import type { CircuitError } from '../../src/shared/errors';
import type { BackendName } from '../../src/shared/results';
import { installStandIn, workingStandIn } from '../unit/engine/standIns';
import { activated, SHOPS } from './extension';

const job = (backend: BackendName | 'auto'): AttributionJob => ({
  experiment: { metric: 'logitDiff', direction: 'denoise', pairs: [{ ...SHOPS, correct: [SHOPS.correct], incorrect: [SHOPS.incorrect] }] },
  settings: { model: 'bundled', backend, threads: 0, prependBos: 'model', direction: 'denoise' },
  title: 'a job of the tests',
});

describe('native backends in VS Code', () => {
  let api: PrivateApi;
  let folder: string;
  const configuration = () => vscode.workspace.getConfiguration('circuitExplorer');
  before(async () => {
    api = await activated();
    folder = await mkdtemp(path.join(tmpdir(), 'circuit-native-'));
    await configuration().update('nativeFolder', folder, vscode.ConfigurationTarget.Global);
  });
  after(async () => {
    await configuration().update('nativeFolder', undefined, vscode.ConfigurationTarget.Global);
    // Back to the engine of the other tests, or the process would keep the folder.
    await api.runner.attribute(job('auto'));
    await rm(folder, { recursive: true, force: true });
  });

  it('say how to be installed where they are not', async () => {
    await assert.rejects(api.runner.attribute(job('native')), (error: CircuitError) => error.code === 'backend' && /Install native backend…/.test(error.message) && error.message.includes(folder));
  });

  it('compute in a process that the extension host starts, and stand in the run', async () => {
    const { extensionPath } = vscode.extensions.getExtension('circuit-explorer.circuit-explorer')!;
    await installStandIn(folder, 'native', workingStandIn(extensionPath));
    const own = await api.runner.attribute(job('native'));
    assert.equal(own.manifest.backend.name, 'native');
    const reference = await api.runner.attribute(job('cpu'));
    assert.deepEqual(own.arrays, reference.arrays);
  });

  it('leave the extension host standing when they crash, and say in the next run why wasm took over', async () => {
    await installStandIn(folder, 'native', `process.kill(process.pid, 'SIGSEGV')`);
    await assert.rejects(api.runner.attribute(job('native')), (error: CircuitError) => error.code === 'backend' && /SIGSEGV/.test(error.message));
    const { manifest } = await api.runner.attribute(job('auto'));
    assert.match(manifest.backend.name, /^wasm/);
    assert.ok(manifest.notes.some(({ message }) => /"native" was not taken.*SIGSEGV/.test(message)));
  });
});
