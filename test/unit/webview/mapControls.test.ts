import assert from 'node:assert/strict';
import { DEFAULT_SITES } from '../../../src/shared/sites';
import { siteChoices } from '../../../webview/heatmaps/mapControls';

describe('the sites of a map', () => {
  it('come as they follow one another in the model, then those with heads', () => {
    const choices = siteChoices({ sites: [...DEFAULT_SITES] }, 'positions');
    assert.deepEqual(choices.map(({ value }) => value), ['embed', 'resid_pre', 'resid_mid', 'resid_post', 'attn_out', 'mlp_out', 'z', 'q', 'k', 'v', 'pattern', 'scores']);
    assert.deepEqual([...new Set(choices.map(({ group }) => group))].map((group) => group?.split(' (')[0]), ['Residual stream and blocks', 'Head every by position, heads summed', 'Further sites']);
    assert.deepEqual(siteChoices({ sites: ['z', 'embed'] }, 'heads').map(({ value }) => value), ['z']);
  });
});
