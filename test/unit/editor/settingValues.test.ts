import assert from 'node:assert/strict';
import { runSettingsFrom } from '../../../src/editor/settingValues';

const read = (values: Record<string, unknown>): ReturnType<typeof runSettingsFrom> => runSettingsFrom((name) => values[name]);
const DEFAULTS = { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'denoise' };

describe('settings', () => {
  it('are taken as they are set', () => {
    assert.deepEqual(read({ model: ' /models/gpt2 ', backend: 'cpu', threads: 2, prependBos: 'never', direction: 'noise' }), { model: '/models/gpt2', backend: 'cpu', threads: 2, prependBos: false, direction: 'noise' });
  });

  it('say whether BOS stands before the prompts', () => {
    const bos = (prependBos: unknown): unknown => read({ prependBos }).prependBos;
    assert.deepEqual(['model', 'always', 'never', true, false, 'true'].map(bos), ['model', true, false, true, false, 'model']);
  });

  it('of a wrong type count as not set', () => {
    assert.deepEqual(read({}), DEFAULTS);
    assert.deepEqual(read({ model: null, backend: 5, threads: 'many', prependBos: 'yes', direction: 'sideways' }), DEFAULTS);
    assert.deepEqual(read({ model: ' ', backend: null, threads: -1.5, prependBos: null, direction: null }), DEFAULTS);
    assert.equal(read({ threads: 2.7 }).threads, 2);
  });
});
