import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promptFile, SHOPS } from './samples';
import { session } from './session';
import { Workbench } from './workbench';

describe('bad input', () => {
  let workbench: Workbench;
  let models: string;

  /** A copy of the bundled model, then harmed. */
  async function harmedModel(name: string, harm: (folder: string) => Promise<void>): Promise<string> {
    const folder = path.join(models, name);
    await cp(path.resolve('media/model'), folder, { recursive: true });
    await harm(folder);
    return folder;
  }

  before(async () => {
    models = await mkdtemp(path.join(tmpdir(), 'circuit-explorer-models-'));
    const truncated = await harmedModel('truncated', (folder) => truncate(path.join(folder, 'model.safetensors'), 1_000_000));
    const withNaN = await harmedModel('nan', async (folder) => {
      const file = path.join(folder, 'model.safetensors');
      const bytes = await readFile(file);
      // All bits set is a NaN in every float format; the last tensor of the file ends so.
      bytes.fill(0xff, bytes.length - 64);
      await writeFile(file, bytes);
    });
    const withoutTokenizer = await harmedModel('no-tokenizer', (folder) => rm(path.join(folder, 'tokenizer.json')));
    const onModel = (model: string): string => JSON.stringify({ model, pairs: [SHOPS] });
    await mkdir(path.join(models, 'empty'));
    workbench = await Workbench.open({
      'sound.prompts.json': promptFile(SHOPS),
      'malformed.prompts.json': '{ "pairs": [ { "clean": "When" "corrupted": "Then" } ] }\n',
      'missing.prompts.json': onModel(path.join(models, 'absent')),
      'truncated.prompts.json': onModel(truncated),
      'nan.prompts.json': onModel(withNaN),
      'no-tokenizer.prompts.json': onModel(withoutTokenizer),
    });
  });
  after(async () => {
    await workbench.close();
    await rm(models, { recursive: true, force: true });
  });

  /** Runs a file that cannot be run; the answer is what the panel says. */
  async function complaintOf(name: string): Promise<string> {
    await workbench.explorerMenu(name, 'Rerun attribution');
    await workbench.tab(`Attribution: ${name}`).click();
    await workbench.panel.failure.filter({ hasText: name }).waitFor();
    return workbench.panel.failure.innerText();
  }

  async function soundFileRuns(): Promise<void> {
    await workbench.explorerMenu('sound.prompts.json', 'Rerun attribution');
    await workbench.tab('Attribution: sound.prompts.json').click();
    await workbench.panel.waitForRun('sound.prompts.json');
  }

  it('malformed JSON: says where, in the editor and in the panel', async () => {
    await workbench.openFile('malformed.prompts.json');
    await workbench.page.locator('.squiggly-error').first().waitFor();
    assert.match(await complaintOf('malformed.prompts.json'), /Line 1, column \d+: /);
    await workbench.screenshot('malformed');
  });

  for (const { file, complaint } of [
    { file: 'missing.prompts.json', complaint: /no folder .*absent/ },
    { file: 'no-tokenizer.prompts.json', complaint: /no tokenizer\.json/ },
    { file: 'truncated.prompts.json', complaint: /model\.safetensors|checkpoint|truncated/i },
    { file: 'nan.prompts.json', complaint: /NaN|not a number|not finite/i },
  ]) {
    it(`${file}: a clear error, and the next run works`, async () => {
      assert.match(await complaintOf(file), complaint);
      await workbench.notification(complaint).waitFor();
      await workbench.screenshot(file.replace('.prompts.json', ''));
      await soundFileRuns();
    });
  }

  it('a model folder of the settings that is not there: a clear error, and the way back works', async () => {
    const { server } = session();
    try {
      await server.writeMachineSettings({ 'circuitExplorer.model': path.join(models, 'absent') });
      await workbench.statusBar(/absent/).waitFor();
      assert.match(await complaintOf('sound.prompts.json'), /no folder .*absent/);
    } finally {
      await server.writeMachineSettings({});
    }
    await workbench.statusBar(/bundled/).waitFor();
    await soundFileRuns();
  });
});
