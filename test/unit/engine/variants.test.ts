import assert from 'node:assert/strict';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { arrayNamed } from '../../../src/shared/arrays';
import { SITE_NAMES } from '../../../src/shared/sites';
import { hashCheckpoint, hashValues } from '../../fixtures/hashCheckpoint';
import { oracleAttribution, type OracleModel } from './oracle';
import { expectedValues, loadParams, relativeError, remove, siteError, WASM_FOLDER, writeHashModel } from './support';

/** What config.json may change in a GPT-2, each against the plain oracle. Bounds are fp32 rounding. */
describe('engine runs variants of GPT-2', function () {
  const variants: [string, NonNullable<OracleModel['variant']>][] = [
    ['exact GELU', { activation_function: 'gelu' }],
    ['ReLU', { activation_function: 'relu' }],
    ['unscaled attention', { scale_attn_weights: false }],
    ['attention scaled by layer', { scale_attn_by_inverse_layer_idx: true }],
    ['a head of its own', { tie_word_embeddings: false }],
  ];
  for (const [what, variant] of variants) {
    it(what, async () => {
      const { checkpoint } = await expectedValues('tiny-odd');
      const { config, tensors } = hashCheckpoint(checkpoint);
      const head = { shape: [config.vocab_size, config.n_embd], data: hashValues(9, 'lm_head.weight', config.vocab_size * config.n_embd, { scale: 0.7, offset: 0 }) };
      if (variant.tie_word_embeddings === false) tensors.set('lm_head.weight', head);
      const folder = await writeHashModel(checkpoint, (fields, own) => {
        Object.assign(fields, variant);
        if (variant.tie_word_embeddings === false) own.set('lm_head.weight', head);
      });
      const engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
      try {
        await engine.load(loadParams(folder));
        const pair = { clean: [4, 8, 15, 16, 23, 42], corrupted: [4, 8, 51, 16, 23, 42], correct: [7], incorrect: [99] };
        for (const direction of ['denoise', 'noise'] as const) {
          const result = await engine.attribute({ experiment: { metric: 'logitDiff', direction, pairs: [pair] }, sites: SITE_NAMES });
          const expected = oracleAttribution({ config, tensors, variant }, pair, direction);
          for (const site of SITE_NAMES) {
            const error = siteError(arrayNamed(result.arrays, `group0.${site}`).data, expected.sites, site);
            assert.ok(error < 5e-5, `${site}, ${direction}: ${error}`);
          }
        }
        // Without the variant the same weights give something else, so the comparison can fail.
        const plain = oracleAttribution({ config, tensors }, pair, 'denoise');
        const own = oracleAttribution({ config, tensors, variant }, pair, 'denoise');
        assert.ok(relativeError(own.sites.z, plain.sites.z) > 1e-4);
      } finally {
        await engine.dispose();
        await remove(folder);
      }
    });
  }
});
