import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import type { TokenPair } from '../../src/shared/experiment';
import type { HashTensor, HfGpt2Config } from '../fixtures/hashCheckpoint';

/** z of both prompts by layer, and the summed metric of the corrupted ones. */
export interface NaiveRuns {
  clean: tf.Tensor[];
  corrupted: tf.Tensor[];
  base: number;
}

/**
 * What one writes first in tfjs: all prompts as a batch, whole sequences, all logits, gradients by autodiff with respect to
 * zeros added at z. On the backend that runs, for timing against the engine; the oracle of the unit tests is on the cpu
 * backend for its precision and would make a flattering clock.
 */
export class NaiveModel {
  private readonly weights: Map<string, tf.Tensor>;

  constructor(
    private readonly config: HfGpt2Config,
    tensors: ReadonlyMap<string, HashTensor>,
  ) {
    this.weights = new Map(Array.from(tensors, ([name, { shape, data }]) => [name, tf.tensor(data, shape)]));
  }

  /** Head scores when denoising, [layer][head]: summed over pairs and positions, divided by the clean − corrupted difference. */
  headScores(pairs: readonly TokenPair[]): number[][] {
    return tf.tidy(() => {
      const { n_layer: layers, n_head: heads, n_embd: width } = this.config;
      const prompts = (side: 'clean' | 'corrupted'): number[][] => pairs.map((pair) => pair[side]!);
      const positions = pairs[0]!.clean.length;
      const metric = (logits: tf.Tensor): tf.Scalar => this.summedDifference(logits, pairs, positions);
      const clean = this.run(prompts('clean'));
      const corrupted = this.run(prompts('corrupted'));
      const zeros = Array.from({ length: layers }, () => tf.zeros([pairs.length * positions, width]));
      const gradients = tf.grads((...probes: tf.Tensor[]) => metric(this.run(prompts('corrupted'), probes).logits))(zeros);
      const difference = tf.sub(metric(clean.logits), metric(corrupted.logits)).dataSync()[0]!;
      return gradients.map((gradient, layer) => {
        const product = tf.mul(tf.sub(clean.z[layer]!, corrupted.z[layer]!), gradient);
        return Array.from(tf.sum(tf.reshape(product, [-1, heads, width / heads]), [0, 2]).dataSync(), (value) => value / difference);
      });
    });
  }

  /** Σ over pairs of the effect of patching one head's z at all positions when denoising, by one whole forward pass of all prompts. `prepare` what both runs give first. */
  patchedHead(pairs: readonly TokenPair[], prepared: NaiveRuns, layer: number, head: number): number {
    return tf.tidy(() => {
      const { n_layer: layers, n_head: heads, n_embd: width } = this.config;
      const own = Float32Array.from({ length: width }, (_, i) => (Math.floor(i / (width / heads)) === head ? 1 : 0));
      const change = tf.mul(tf.sub(prepared.clean[layer]!, prepared.corrupted[layer]!), tf.tensor1d(own));
      const probes = Array.from({ length: layers }, (_, index) => (index === layer ? change : tf.zerosLike(change)));
      const corrupted = pairs.map((pair) => pair.corrupted!);
      return this.summedDifference(this.run(corrupted, probes).logits, pairs, corrupted[0]!.length).dataSync()[0]! - prepared.base;
    });
  }

  prepare(pairs: readonly TokenPair[]): NaiveRuns {
    return tf.tidy(() => {
      const corrupted = this.run(pairs.map((pair) => pair.corrupted!));
      const base = this.summedDifference(corrupted.logits, pairs, pairs[0]!.clean.length).dataSync()[0]!;
      return { clean: this.run(pairs.map((pair) => pair.clean)).z, corrupted: corrupted.z, base };
    });
  }

  /** Σ over pairs of logit(correct) − logit(incorrect) at the last position. */
  private summedDifference(logits: tf.Tensor, pairs: readonly TokenPair[], positions: number): tf.Scalar {
    const vocabulary = this.config.vocab_size;
    const signs = new Float32Array(pairs.length * positions * vocabulary);
    pairs.forEach(({ correct, incorrect }, pair) => {
      const last = ((pair + 1) * positions - 1) * vocabulary;
      signs[last + correct[0]!] = 1;
      signs[last + incorrect[0]!] = -1;
    });
    return tf.sum(tf.mul(logits, tf.tensor(signs, logits.shape)));
  }

  private run(prompts: readonly number[][], probes?: readonly tf.Tensor[]): { logits: tf.Tensor; z: tf.Tensor[] } {
    const { n_layer: layers, n_head: heads, n_embd: width, layer_norm_epsilon: epsilon } = this.config;
    const [batch, positions, dHead] = [prompts.length, prompts[0]!.length, width / heads];
    const weight = (name: string): tf.Tensor => this.weights.get(name)!;
    const linear = (x: tf.Tensor, name: string): tf.Tensor => tf.add(tf.matMul(x, weight(`${name}.weight`)), weight(`${name}.bias`));
    const norm = (x: tf.Tensor, name: string): tf.Tensor => {
      const { mean, variance } = tf.moments(x, -1, true);
      return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon))), weight(`${name}.weight`)), weight(`${name}.bias`));
    };
    const gelu = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x))))))));
    const split = (x: tf.Tensor): tf.Tensor => tf.transpose(tf.reshape(x, [batch, positions, heads, dHead]), [0, 2, 1, 3]);
    const hidden = tf.tensor(Float32Array.from({ length: positions * positions }, (_, i) => (i % positions > Math.floor(i / positions) ? -1e9 : 0)), [positions, positions]);

    const embedded = tf.gather(weight('wte.weight'), tf.tensor1d(prompts.flat(), 'int32'));
    const places = tf.slice(weight('wpe.weight'), [0, 0], [positions, width]);
    let x: tf.Tensor = tf.reshape(tf.add(tf.reshape(embedded, [batch, positions, width]), places), [-1, width]);
    const outputs: tf.Tensor[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const name = `h.${layer}`;
      const [q, k, v] = tf.split(linear(norm(x, `${name}.ln_1`), `${name}.attn.c_attn`), 3, 1).map(split) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const pattern = tf.softmax(tf.add(tf.div(tf.matMul(q, k, false, true), Math.sqrt(dHead)), hidden));
      const plain = tf.reshape(tf.transpose(tf.matMul(pattern, v), [0, 2, 1, 3]), [-1, width]);
      const z = probes ? tf.add(plain, probes[layer]!) : plain;
      outputs.push(z);
      x = tf.add(x, linear(z, `${name}.attn.c_proj`));
      x = tf.add(x, linear(gelu(linear(norm(x, `${name}.ln_2`), `${name}.mlp.c_fc`)), `${name}.mlp.c_proj`));
    }
    return { logits: tf.matMul(norm(x, 'ln_f'), weight('wte.weight'), false, true), z: outputs };
  }
}
