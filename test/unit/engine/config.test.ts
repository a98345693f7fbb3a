import assert from 'node:assert/strict';
import { parseConfig } from '../../../src/engine/model/config';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';

const GPT2 = { model_type: 'gpt2', n_layer: 12, n_head: 12, n_embd: 768, n_positions: 1024, vocab_size: 50257 };

describe('engine reads config.json', () => {
  it('with GPT-2\'s defaults', () => {
    assert.deepEqual(parseConfig(JSON.stringify({ ...GPT2, n_inner: null, reorder_and_upcast_attn: true, attn_pdrop: 0.1 })), {
      layers: 12,
      heads: 12,
      dModel: 768,
      dHead: 64,
      dMlp: 3072,
      vocabulary: 50257,
      context: 1024,
      layerNormEpsilon: 1e-5,
      activation: 'gelu-tanh',
      scaleByHead: true,
      scaleByLayer: false,
      tied: true,
    });
  });

  it('with everything said', () => {
    const config = parseConfig(JSON.stringify({ ...GPT2, n_inner: 77, layer_norm_epsilon: 1e-3, activation_function: 'relu', scale_attn_weights: false, scale_attn_by_inverse_layer_idx: true, tie_word_embeddings: false }));
    assert.deepEqual([config.dMlp, config.layerNormEpsilon, config.activation, config.scaleByHead, config.scaleByLayer, config.tied], [77, 1e-3, 'relu', false, true, false]);
  });

  it('of old files without model_type or with n_ctx only', () => {
    const old = { ...GPT2, model_type: undefined, n_positions: undefined, n_ctx: 512, architectures: ['GPT2LMHeadModel'] };
    assert.equal(parseConfig(JSON.stringify(old)).context, 512);
  });

  for (const [what, change, code, message] of [
    ['another architecture', { model_type: 'llama' }, 'model-unsupported', /type is "llama"/],
    ['an unnamed architecture', { model_type: undefined }, 'model-unsupported', /unnamed/],
    ['another activation', { activation_function: 'silu' }, 'model-unsupported', /"silu"; known are gelu_new/],
    ['an activation that every object has', { activation_function: 'toString' }, 'model-unsupported', /activation/],
    ['cross-attention', { add_cross_attention: true }, 'model-unsupported', /cross-attention/],
    ['quantised weights', { quantization_config: { bits: 4 } }, 'model-unsupported', /quantised/],
    ['a missing size', { n_embd: undefined }, 'model-invalid', /n_embd is missing/],
    ['a size of zero', { n_layer: 0 }, 'model-invalid', /n_layer is 0/],
    ['a fractional size', { n_head: 1.5 }, 'model-invalid', /n_head is 1.5/],
    ['an absurd size', { vocab_size: 1e15 }, 'model-invalid', /vocab_size/],
    ['layers without end, each of which would be looked for', { n_layer: 2 ** 24 }, 'model-invalid', /n_layer is 16777216/],
    ['heads that do not divide the width', { n_head: 7 }, 'model-invalid', /768 is not a multiple of n_head 7/],
    ['a negative epsilon', { layer_norm_epsilon: -1 }, 'model-invalid', /layer_norm_epsilon/],
    ['a flag that is no flag', { scale_attn_weights: 'yes' }, 'model-invalid', /scale_attn_weights/],
  ] as [string, Record<string, unknown>, ErrorCode, RegExp][]) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseConfig(JSON.stringify({ ...GPT2, ...change })), (error) => CircuitError.is(error, code) && message.test(error.message));
    });
  }

  it('refuses what is no JSON object', () => {
    for (const text of ['', '{', '[]', 'null', '3']) assert.throws(() => parseConfig(text), (error) => CircuitError.is(error, 'model-invalid'));
  });
});
