import assert from 'node:assert/strict';
import { usableModel } from '../../../src/editor/trust';

const inFolder = { scheme: 'file', fsPath: '/prompts/deep/a.prompts.json' };
const virtual = { scheme: 'vscode-vfs', fsPath: '/repository/a.prompts.json' };

describe('models named by prompt files', () => {
  it('are taken as they are in a trusted workspace, folders from the file’s own', () => {
    assert.equal(usableModel(undefined, inFolder, true), undefined);
    assert.equal(usableModel('bundled', inFolder, true), 'bundled');
    assert.equal(usableModel('openai-community/gpt2', inFolder, true), 'openai-community/gpt2');
    assert.equal(usableModel('/models/gpt2', inFolder, true), '/models/gpt2');
    assert.equal(usableModel('../gpt2', inFolder, true), '/prompts/gpt2');
    assert.equal(usableModel(' ../gpt2', inFolder, true), '/prompts/gpt2');
    assert.equal(usableModel('./gpt2', virtual, true), './gpt2');
  });

  it('are ignored in Restricted Mode when they are folders, names are not', () => {
    for (const folder of ['/models/gpt2', './gpt2', '../gpt2', '~/gpt2', 'C:\\gpt2', '\\\\server\\gpt2']) assert.equal(usableModel(folder, inFolder, false), undefined, folder);
    for (const padded of [' /models/gpt2', '\t~/gpt2', '\n./gpt2', '\u00a0../gpt2', ' C:\\gpt2']) assert.equal(usableModel(padded, inFolder, false), undefined, JSON.stringify(padded));
    for (const name of ['bundled', 'gpt2', 'openai-community/gpt2']) assert.equal(usableModel(name, inFolder, false), name);
  });
});
