import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import type { Direction, Other, TokenPair, Unit, Variant } from '../../../src/shared/experiment';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import type { HashTensor, HfGpt2Config } from '../../fixtures/hashCheckpoint';

/**
 * The plain thing the engine must equal: GPT-2 written down as in the paper, one prompt at a time, whole sequences, GELU by
 * tanh, logits of all positions over the whole vocabulary, gradients by tfjs's autodiff with respect to zeros that are
 * added at every site. It shares no code with the engine and runs on tfjs's cpu backend. The metric is the logit difference
 * at the last position.
 */
export interface OracleModel {
  config: HfGpt2Config;
  tensors: ReadonlyMap<string, HashTensor>;
  /** Departures from GPT-2's own settings, as config.json names them. */
  variant?: { activation_function?: 'gelu' | 'relu'; scale_attn_weights?: boolean; scale_attn_by_inverse_layer_idx?: boolean; tie_word_embeddings?: boolean };
}

export interface OracleExperiment {
  direction: Direction;
  other?: Other;
  variant?: Variant;
  /** All of the pair's length, for means and resampling; the pair among them. */
  pairs?: readonly TokenPair[];
}

export interface OracleAttribution {
  /** [layer, position(, head or neuron)] per site; embed [position]. */
  sites: Record<SiteName, Float32Array>;
  metric: { clean: number; corrupted?: number };
}

/** By `${site}.${layer}`: z, q (scaled), k, v [position, dModel]; scores, pattern [head, destination, source]; others [position, width]. */
type Values = Map<string, tf.Tensor>;
type ChangeAt = (site: SiteName, layer: number, x: tf.Tensor) => tf.Tensor;

/** grad_base · (clean − other) at every site, as the experiment's variant says. Prompts of equal length. */
export function oracleAttribution(model: OracleModel, pair: TokenPair, experiment: Direction | OracleExperiment): OracleAttribution {
  const { direction, other = 'corrupted', variant = {}, pairs = [pair] } = typeof experiment === 'string' ? ({ direction: experiment } as OracleExperiment) : experiment;
  return onCpu(() => {
    const run = (tokens: readonly number[], options: RunOptions = {}): OracleRun => runOracle(model, tokens, pair, options);
    const clean = run(pair.clean).values;
    const standIn = (kind: Other): Values => {
      if (kind === 'zero') return new Map([...clean].map(([key, x]) => [key, tf.zerosLike(x)]));
      if (kind === 'mean') {
        const all = pairs.map((one) => run(one.clean).values);
        return new Map([...clean.keys()].map((key) => [key, tf.mean(tf.stack(all.map((values) => values.get(key)!)), 0)]));
      }
      return run(kind === 'resample' ? pairs[(pairs.indexOf(pair) + 1) % pairs.length]!.clean : pair.corrupted!).values;
    };
    const corrupted = other === 'resample' ? pairs[(pairs.indexOf(pair) + 1) % pairs.length]!.clean : pair.corrupted;
    const source = direction === 'denoise' ? clean : standIn(other);
    const base = direction === 'denoise' ? corrupted! : pair.clean;
    const replacements = (variant.interventions ?? []).map((done) => ({ unit: done.unit, values: done.with === 'corrupted' ? source : standIn(done.with) }));
    const replace: ChangeAt = (site, layer, x) => replacements.reduce((value, { unit, values }) => (isOf(unit, site, layer) ? tf.where(partOf(model, unit, x), values.get(`${site}.${layer}`)!, value) : value), x);
    const baseValues = run(base, { replace }).values;
    const deltas = new Map([...baseValues].map(([key, own]) => [key, direction === 'denoise' ? tf.sub(source.get(key)!, own) : tf.sub(own, source.get(key)!)]));
    const effects = (stopped: readonly Unit[]): Record<SiteName, tf.Tensor> => {
      const stop: ChangeAt = (site, layer, x) => stopped.reduce((value, unit) => (isOf(unit, site, layer) ? tf.where(partOf(model, unit, x), detach(value), value) : value), x);
      const options = { replace, stop, freezeLayerNorm: variant.freezeLayerNorm, freezePattern: variant.freezePattern };
      const gradients = startsOf(variant, baseValues.get('embed.0')!, source.get('embed.0')!, base, [pair.clean, corrupted]).map(({ tokens, start }) => oracleGradients(model, tokens, pair, { ...options, start }));
      const mean = new Map([...deltas.keys()].map((key) => [key, tf.mean(tf.stack(gradients.map((own) => own.get(key)!)), 0)]));
      const plain = Object.fromEntries(SITE_NAMES.map((site) => [site, tf.stack(keysOf(model, site).map((key) => sumFeatures(model, site, tf.mul(deltas.get(key)!, mean.get(key)!))))])) as Record<SiteName, tf.Tensor>;
      return variant.qkFix ? { ...plain, ...bruteForceQk(model, baseValues, source, mean, direction === 'denoise' ? 1 : -1) } : plain;
    };
    const { n_layer: layers } = model.config;
    const drops = Array.from({ length: layers }, (_, layer) => (['attn_out', 'mlp_out'] as const).map((site): Unit => ({ site, layer })));
    const stopped = variant.stopGradient ?? [];
    const dropped = variant.gradDrop ? drops.map((drop) => effects([...stopped, ...drop])) : undefined;
    const all = dropped ?? [effects(stopped)];
    const sites = Object.fromEntries(
      SITE_NAMES.map((site) => {
        const own = dropped ? tf.div(tf.addN(all.map((one) => tf.abs(one[site]))), layers - 1) : all[0]![site];
        return [site, own.dataSync<'float32'>()];
      }),
    ) as Record<SiteName, Float32Array>;
    const metricOf = (tokens: readonly number[]): number => run(tokens).metric.dataSync()[0]!;
    const metric = { clean: metricOf(pair.clean), ...(other !== 'zero' && other !== 'mean' && { corrupted: metricOf(corrupted!) }) };
    return { sites, metric };
  });
}

/**
 * The metric when a part of each site's activations of `patch` replaces those of `tokens`' run, scaled by `amount` (1: replaced):
 * one whole forward pass per call. `where` gets the position (destination) and the index within its row, or (for scores and
 * pattern) the source, and the head.
 */
export function oraclePatchedMetric(model: OracleModel, tokens: readonly number[], from: readonly number[], answers: TokenPair, site: SiteName, layer: number, amount: number, where?: (position: number, feature: number, head: number) => boolean): number {
  return onCpu(() => {
    const key = `${site}.${layer}`;
    const target = runOracle(model, tokens, answers).values.get(key)!;
    const source = runOracle(model, from, answers).values.get(key)!;
    const [positions, width] = target.shape.slice(-2) as [number, number];
    const dHead = model.config.n_embd / model.config.n_head;
    const mask = Float32Array.from({ length: target.size }, (_, i) => {
      const head = target.shape.length === 3 ? Math.floor(i / (positions * width)) : Math.floor((i % width) / dHead);
      return where === undefined || where(Math.floor(i / width) % positions, i % width, head) ? amount : 0;
    });
    const probe = tf.mul(tf.sub(source, target), tf.tensor(mask, target.shape));
    return runOracle(model, tokens, answers, { replace: (name, own, x) => (name === site && own === layer ? tf.add(x, probe) : x) }).metric.dataSync()[0]!;
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

function keysOf({ config }: OracleModel, site: SiteName): string[] {
  return Array.from({ length: site === 'embed' ? 1 : config.n_layer }, (_, layer) => `${site}.${layer}`);
}

function isOf({ site, layer = 0 }: Unit, asked: SiteName, askedLayer: number): boolean {
  return site === asked && layer === askedLayer;
}

/** Where a unit is in its site's values: 1 or 0, as bool. */
function partOf({ config }: OracleModel, { head, neuron, position, source }: Unit, x: tf.Tensor): tf.Tensor {
  const [positions, width] = x.shape.slice(-2) as [number, number];
  const dHead = config.n_embd / config.n_head;
  const at = position === 'last' ? positions - 1 : position === undefined ? undefined : (position + positions) % positions;
  const mask = Array.from({ length: x.size }, (_, i) => {
    const own = { row: Math.floor(i / width) % positions, column: i % width };
    const ownHead = x.shape.length === 3 ? Math.floor(i / (positions * width)) : Math.floor(own.column / dHead);
    return (at === undefined || own.row === at) && (head === undefined || ownHead === head) && (neuron === undefined || own.column === neuron) && (source === undefined || own.column === (source + positions) % positions);
  });
  return tf.tensor(mask, x.shape, 'bool');
}

/** The value, as a constant to autodiff. */
function detach(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((y) => ({ value: tf.clone(y as tf.Tensor), gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy) }))(x);
}

/** Sums over features, for scores and pattern over sources: [position(, head or neuron)]. */
function sumFeatures({ config }: OracleModel, site: SiteName, product: tf.Tensor): tf.Tensor {
  if (site === 'mlp_post') return product;
  if (site === 'scores' || site === 'pattern') return tf.transpose(tf.sum(product, -1));
  const heads = config.n_head;
  return tf.sum(['z', 'q', 'k', 'v'].includes(site) ? tf.reshape(product, [product.shape[0]!, heads, config.n_embd / heads]) : product, -1);
}

/** Runs whose gradients are averaged. */
function startsOf(variant: Variant, baseEmbed: tf.Tensor, otherEmbed: tf.Tensor, base: readonly number[], both: readonly (readonly number[] | undefined)[]): { tokens: readonly number[]; start?: tf.Tensor }[] {
  if (variant.bothGradients) return both.map((tokens) => ({ tokens: tokens! }));
  if (!variant.integrated) return [{ tokens: base }];
  const { steps, rule } = variant.integrated;
  const shift = { left: 0, right: 1, midpoint: 0.5 }[rule];
  return Array.from({ length: steps }, (_, k) => ({ tokens: base, start: tf.add(baseEmbed, tf.mul((k + shift) / steps, tf.sub(otherEmbed, baseEmbed))) }));
}

/** AtP*'s queries and keys with the softmax taken again, one node after the other, in double precision: [layer, position, head]. */
function bruteForceQk({ config }: OracleModel, base: Values, source: Values, gradients: Values, sign: number): Pick<Record<SiteName, tf.Tensor>, 'q' | 'k'> {
  const { n_layer: layers, n_head: heads, n_embd: width } = config;
  const dHead = width / heads;
  const result = { q: [] as number[], k: [] as number[] };
  const positions = base.get('q.0')!.shape[0]!;
  for (const site of ['q', 'k'] as const) {
    for (let layer = 0; layer < layers; layer++) {
      const [q, k, newQ, newK, g] = [base.get(`q.${layer}`)!, base.get(`k.${layer}`)!, source.get(`q.${layer}`)!, source.get(`k.${layer}`)!, gradients.get(`pattern.${layer}`)!].map((x) => x.dataSync<'float32'>());
      const row = (head: number, destination: number, replacedQ: boolean, replacedK: number): number[] => {
        const scores = Array.from({ length: destination + 1 }, (_, at) => {
          const [left, right] = [replacedQ ? newQ! : q!, replacedK === at ? newK! : k!];
          let sum = 0;
          for (let i = head * dHead; i < (head + 1) * dHead; i++) sum += left[destination * width + i]! * right[at * width + i]!;
          return sum;
        });
        const most = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - most));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return weights.map((weight) => weight / total);
      };
      for (let position = 0; position < positions; position++) {
        for (let head = 0; head < heads; head++) {
          let effect = 0;
          for (let destination = position; destination < (site === 'q' ? position + 1 : positions); destination++) {
            const before = row(head, destination, false, -1);
            const after = row(head, destination, site === 'q', site === 'k' ? position : -1);
            after.forEach((p, at) => (effect += (p - before[at]!) * g![(head * positions + destination) * positions + at]!));
          }
          result[site].push(sign * effect);
        }
      }
    }
  }
  const shape = [layers, positions, heads];
  return { q: tf.tensor(result.q, shape), k: tf.tensor(result.k, shape) };
}

function oracleGradients(model: OracleModel, tokens: readonly number[], answers: Pick<TokenPair, 'correct' | 'incorrect'>, options: RunOptions): Values {
  const keys = SITE_NAMES.flatMap((site) => keysOf(model, site));
  const { values } = runOracle(model, tokens, answers, options);
  const zeros = keys.map((key) => tf.zerosLike(values.get(key)!));
  const gradients = tf.grads((...probes: tf.Tensor[]) => runOracle(model, tokens, answers, { ...options, probes: new Map(keys.map((key, i) => [key, probes[i]!])) }).metric)(zeros);
  return new Map(keys.map((key, i) => [key, gradients[i]!]));
}

interface RunOptions {
  /** In place of the tokens' embedding. */
  start?: tf.Tensor;
  /** What flows on from a site. */
  replace?: ChangeAt;
  probes?: Values;
  /** What of it lets gradient through. */
  stop?: ChangeAt;
  freezeLayerNorm?: boolean;
  freezePattern?: boolean;
}

interface OracleRun {
  metric: tf.Scalar;
  logits: tf.Tensor2D;
  values: Values;
}

function runOracle({ config, tensors, variant = {} }: OracleModel, tokens: readonly number[], { correct, incorrect }: Pick<TokenPair, 'correct' | 'incorrect'>, options: RunOptions = {}): OracleRun {
  const { n_layer: layers, n_head: heads, n_embd: width, layer_norm_epsilon: epsilon } = config;
  const { probes, replace, stop, start } = options;
  const positions = tokens.length;
  const dHead = width / heads;
  const weight = (name: string): tf.Tensor => {
    const { shape, data } = tensors.get(name)!;
    return tf.tensor(data, shape);
  };
  const linear = (x: tf.Tensor, name: string): tf.Tensor => tf.add(tf.matMul(x, weight(`${name}.weight`)), weight(`${name}.bias`));
  const norm = (x: tf.Tensor, name: string): tf.Tensor => {
    const { mean, variance } = tf.moments(x, -1, true);
    const scale = tf.sqrt(tf.add(variance, epsilon));
    return tf.add(tf.mul(tf.div(tf.sub(x, mean), options.freezeLayerNorm ? detach(scale) : scale), weight(`${name}.weight`)), weight(`${name}.bias`));
  };
  const activation = (x: tf.Tensor): tf.Tensor => {
    if (variant.activation_function === 'relu') return tf.relu(x);
    if (variant.activation_function === 'gelu') return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.div(x, Math.SQRT2))));
    return geluNew(x);
  };
  const geluNew = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x))))))));
  const values: Values = new Map();
  const at = (site: SiteName, layer: number, x: tf.Tensor): tf.Tensor => {
    const key = `${site}.${layer}`;
    const replaced = replace ? replace(site, layer, x) : x;
    const probed = probes ? tf.add(replaced, probes.get(key)!) : replaced;
    values.set(key, probed);
    return stop ? stop(site, layer, probed) : probed;
  };

  const embedding = tf.tensor(Float32Array.from(tokens.flatMap((token) => [...tensors.get('wte.weight')!.data.subarray(token * width, (token + 1) * width)])), [positions, width]);
  const places = tf.tensor(tensors.get('wpe.weight')!.data.slice(0, positions * width), [positions, width]);
  const hidden = tf.tensor(Float32Array.from({ length: positions * positions }, (_, i) => (i % positions > Math.floor(i / positions) ? -1e9 : 0)), [positions, positions]);
  let x = at('embed', 0, start ?? tf.add(embedding, places));
  for (let layer = 0; layer < layers; layer++) {
    const name = `h.${layer}`;
    x = at('resid_pre', layer, x);
    const divisor = (variant.scale_attn_weights === false ? 1 : Math.sqrt(dHead)) * (variant.scale_attn_by_inverse_layer_idx ? layer + 1 : 1);
    const [query, key, value] = tf.split(linear(norm(x, `${name}.ln_1`), `${name}.attn.c_attn`), 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const byHead = (part: tf.Tensor): tf.Tensor => tf.transpose(tf.reshape(part, [positions, heads, dHead]), [1, 0, 2]);
    const [q, k, v] = [at('q', layer, tf.div(query, divisor)), at('k', layer, key), at('v', layer, value)].map(byHead) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const scores = at('scores', layer, tf.matMul(q, k, false, true));
    const softmax = tf.softmax(tf.add(scores, hidden));
    const pattern = at('pattern', layer, options.freezePattern ? detach(softmax) : softmax);
    const z = at('z', layer, tf.reshape(tf.transpose(tf.matMul(pattern, v), [1, 0, 2]), [positions, width]));
    x = at('resid_mid', layer, tf.add(x, at('attn_out', layer, linear(z, `${name}.attn.c_proj`))));
    const post = at('mlp_post', layer, activation(linear(norm(x, `${name}.ln_2`), `${name}.mlp.c_fc`)));
    x = at('resid_post', layer, tf.add(x, at('mlp_out', layer, linear(post, `${name}.mlp.c_proj`))));
  }
  const logits = tf.matMul(norm(x, 'ln_f'), weight(variant.tie_word_embeddings === false ? 'lm_head.weight' : 'wte.weight'), false, true) as tf.Tensor2D;
  const share = new Float32Array(positions * config.vocab_size);
  const last = (positions - 1) * config.vocab_size;
  for (const token of correct) share[last + token]! += 1 / correct.length;
  for (const token of incorrect) share[last + token]! -= 1 / incorrect.length;
  return { logits, values, metric: tf.sum(tf.mul(logits, tf.tensor(share, logits.shape))) as tf.Scalar };
}
