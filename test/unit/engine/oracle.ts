import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import type { Direction, TokenPair } from '../../../src/shared/experiment';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import type { HashTensor, HfGpt2Config } from '../../fixtures/hashCheckpoint';

/**
 * The plain thing the engine must equal: GPT-2 written down as in the paper, one prompt at a time, whole sequences, GELU by
 * tanh, logits of all positions over the whole vocabulary, gradients by tfjs's autodiff with respect to zeros that are
 * added at every site. It shares no code with the engine and runs on tfjs's cpu backend.
 */
export interface OracleModel {
  config: HfGpt2Config;
  tensors: ReadonlyMap<string, HashTensor>;
  /** Departures from GPT-2's own settings, as config.json names them. */
  variant?: { activation_function?: 'gelu' | 'relu'; scale_attn_weights?: boolean; scale_attn_by_inverse_layer_idx?: boolean; tie_word_embeddings?: boolean };
}

export interface OracleAttribution {
  /** [layer, position] per site; z [layer, position, head]. */
  sites: Record<SiteName, Float32Array>;
  logitDiff: { clean: number; corrupted: number };
}

type Probes = Record<SiteName, tf.Tensor[]>;

/** grad_base · (clean − corrupted) at every site. Prompts of equal length. */
export function oracleAttribution(model: OracleModel, pair: TokenPair, direction: Direction): OracleAttribution {
  return onCpu(() => {
    const clean = runOracle(model, pair.clean, pair);
    const corrupted = runOracle(model, pair.corrupted, pair);
    const gradients = oracleGradients(model, direction === 'denoise' ? pair.corrupted : pair.clean, pair);
    const { n_head: heads, n_embd: width } = model.config;
    const sites = Object.fromEntries(
      SITE_NAMES.map((site) => {
        const layers = clean.activations[site].map((own, layer) => {
          const product = tf.mul(tf.sub(own, corrupted.activations[site][layer]!), gradients[site][layer]!);
          return tf.sum(site === 'z' ? tf.reshape(product, [pair.clean.length, heads, width / heads]) : product, -1);
        });
        return [site, tf.stack(layers).dataSync<'float32'>()];
      }),
    ) as Record<SiteName, Float32Array>;
    return { sites, logitDiff: { clean: clean.metric.dataSync()[0]!, corrupted: corrupted.metric.dataSync()[0]! } };
  });
}

/**
 * The metric when each site's activations of `patch` replace those of `tokens`' run, scaled by `amount` (1: replaced):
 * one whole forward pass per call.
 */
export function oraclePatchedMetric(model: OracleModel, tokens: readonly number[], from: readonly number[], answers: TokenPair, site: SiteName, layer: number, amount: number, where?: (position: number, feature: number) => boolean): number {
  return onCpu(() => {
    const target = runOracle(model, tokens, answers).activations[site][layer]!;
    const source = runOracle(model, from, answers).activations[site][layer]!;
    const [positions, width] = target.shape as [number, number];
    const mask = Float32Array.from({ length: positions * width }, (_, i) => (where === undefined || where(Math.floor(i / width), i % width) ? amount : 0));
    const probes = zeroProbes(model, tokens.length);
    probes[site][layer] = tf.mul(tf.sub(source, target), tf.tensor2d(mask, [positions, width]));
    return runOracle(model, tokens, answers, probes).metric.dataSync()[0]!;
  });
}

/** Logits at every position: [position][vocabulary], flat. */
export function oracleLogits(model: OracleModel, tokens: readonly number[]): Float32Array {
  return onCpu(() => runOracle(model, tokens, { correct: [0], incorrect: [0] }).logits.dataSync<'float32'>());
}

/** Everything on tfjs's cpu backend, whose sums are in double precision; the engine's own backend is put back afterwards. */
function onCpu<T>(compute: () => T): T {
  const before = tf.getBackend();
  if (!tf.findBackendFactory('cpu')) tf.registerBackend('cpu', () => new MathBackendCPU());
  // Starting the cpu backend, and returning to a started one, happen at once; only the promise is late.
  void tf.setBackend('cpu');
  tf.engine().startScope();
  try {
    return compute();
  } finally {
    tf.engine().endScope();
    if (before) void tf.setBackend(before);
  }
}

function zeroProbes({ config: { n_layer: layers, n_embd: width } }: OracleModel, positions: number): Probes {
  return Object.fromEntries(SITE_NAMES.map((site) => [site, Array.from({ length: layers }, () => tf.zeros([positions, width]))])) as Probes;
}

function oracleGradients(model: OracleModel, tokens: readonly number[], answers: Pick<TokenPair, 'correct' | 'incorrect'>): Probes {
  const { n_layer: layers } = model.config;
  const zeros = zeroProbes(model, tokens.length);
  const flat = SITE_NAMES.flatMap((site) => zeros[site]);
  const unflatten = (all: tf.Tensor[]): Probes => Object.fromEntries(SITE_NAMES.map((site, i) => [site, all.slice(i * layers, (i + 1) * layers)])) as Probes;
  return unflatten(tf.grads((...probes: tf.Tensor[]) => runOracle(model, tokens, answers, unflatten(probes)).metric)(flat));
}

interface OracleRun {
  metric: tf.Scalar;
  logits: tf.Tensor2D;
  activations: Probes;
}

function runOracle({ config, tensors, variant = {} }: OracleModel, tokens: readonly number[], { correct, incorrect }: Pick<TokenPair, 'correct' | 'incorrect'>, probes?: Probes): OracleRun {
  const { n_layer: layers, n_head: heads, n_embd: width, layer_norm_epsilon: epsilon } = config;
  const positions = tokens.length;
  const dHead = width / heads;
  const weight = (name: string): tf.Tensor => {
    const { shape, data } = tensors.get(name)!;
    return tf.tensor(data, shape);
  };
  const linear = (x: tf.Tensor, name: string): tf.Tensor => tf.add(tf.matMul(x, weight(`${name}.weight`)), weight(`${name}.bias`));
  const norm = (x: tf.Tensor, name: string): tf.Tensor => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon))), weight(`${name}.weight`)), weight(`${name}.bias`));
  };
  const activation = (x: tf.Tensor): tf.Tensor => {
    if (variant.activation_function === 'relu') return tf.relu(x);
    if (variant.activation_function === 'gelu') return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));
    return geluNew(x);
  };
  const geluNew = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x))))))));
  const activations: Probes = { z: [], attn_out: [], mlp_out: [], resid_pre: [] };
  const at = (site: SiteName, layer: number, x: tf.Tensor): tf.Tensor => {
    const probed = probes ? tf.add(x, probes[site][layer]!) : x;
    activations[site].push(probed);
    return probed;
  };

  const embedding = tf.tensor(Float32Array.from(tokens.flatMap((token) => [...tensors.get('wte.weight')!.data.subarray(token * width, (token + 1) * width)])), [positions, width]);
  const places = tf.tensor(tensors.get('wpe.weight')!.data.slice(0, positions * width), [positions, width]);
  const hidden = tf.tensor(Float32Array.from({ length: positions * positions }, (_, i) => (i % positions > Math.floor(i / positions) ? -1e9 : 0)), [positions, positions]);
  let x = tf.add(embedding, places);
  for (let layer = 0; layer < layers; layer++) {
    const name = `h.${layer}`;
    x = at('resid_pre', layer, x);
    const qkv = linear(norm(x, `${name}.ln_1`), `${name}.attn.c_attn`);
    const [q, k, v] = tf.split(qkv, 3, 1).map((part) => tf.split(part, heads, 1)) as [tf.Tensor[], tf.Tensor[], tf.Tensor[]];
    const outputs = q.map((own, head) => {
      const divisor = (variant.scale_attn_weights === false ? 1 : Math.sqrt(dHead)) * (variant.scale_attn_by_inverse_layer_idx ? layer + 1 : 1);
      const scores = tf.div(tf.matMul(own, k[head]!, false, true), divisor);
      return tf.matMul(tf.softmax(tf.add(scores, hidden)), v[head]!);
    });
    const z = at('z', layer, tf.concat(outputs, 1));
    x = tf.add(x, at('attn_out', layer, linear(z, `${name}.attn.c_proj`)));
    const mlp = linear(activation(linear(norm(x, `${name}.ln_2`), `${name}.mlp.c_fc`)), `${name}.mlp.c_proj`);
    x = tf.add(x, at('mlp_out', layer, mlp));
  }
  const logits = tf.matMul(norm(x, 'ln_f'), weight(variant.tie_word_embeddings === false ? 'lm_head.weight' : 'wte.weight'), false, true) as tf.Tensor2D;
  const share = new Float32Array(positions * config.vocab_size);
  const last = (positions - 1) * config.vocab_size;
  for (const token of correct) share[last + token]! += 1 / correct.length;
  for (const token of incorrect) share[last + token]! -= 1 / incorrect.length;
  return { logits, activations, metric: tf.sum(tf.mul(logits, tf.tensor(share, logits.shape))) as tf.Scalar };
}
