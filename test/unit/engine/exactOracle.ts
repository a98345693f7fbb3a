import { firstDifference, type Other, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import type { SiteName } from '../../../src/shared/sites';
import type { HashTensor, HfGpt2Config } from '../../fixtures/hashCheckpoint';

/**
 * Exact activation patching as one would write it first: GPT-2 in double precision by loops, one prompt at a time, whole
 * sequences from the first layer on, one forward pass per patch, with a hook at every site. Shares no code with the engine.
 */
export interface PlainModel {
  config: HfGpt2Config;
  tensors: ReadonlyMap<string, HashTensor>;
}

/** Rows [position][feature]; scores and pattern are [head][destination][source], heads outermost. */
export type Plain = number[][] | number[][][];
type Hook = (site: SiteName, layer: number, value: Plain) => void;

export interface PlainRun {
  sites: Map<string, Plain>;
  /** Residual stream after the last block and LN_f. */
  normed: number[][];
  /** σ of LN_f. */
  sigma: number[];
}

const copy = (value: Plain): Plain => value.map((row) => row.map((x) => (typeof x === 'number' ? x : [...x]))) as Plain;

/** A forward pass; `hook` may write into the values it is shown. */
export function plainRun({ config, tensors }: PlainModel, tokens: readonly number[], hook: Hook = () => undefined): PlainRun {
  const { n_layer: layers, n_head: heads, n_embd: width, layer_norm_epsilon: epsilon } = config;
  const dHead = width / heads;
  const data = (name: string): Float32Array => tensors.get(name)!.data;
  const linear = (x: readonly number[], name: string): number[] => {
    const [weight, bias] = [data(`${name}.weight`), data(`${name}.bias`)];
    const y = Array.from(bias);
    for (let i = 0; i < x.length; i++) {
      const row = i * y.length;
      for (let j = 0; j < y.length; j++) y[j]! += x[i]! * weight[row + j]!;
    }
    return y;
  };
  const scaleOf = (x: readonly number[]): { mean: number; sigma: number } => {
    const mean = x.reduce((sum, value) => sum + value, 0) / width;
    return { mean, sigma: Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width + epsilon) };
  };
  const norm = (x: readonly number[], name: string): number[] => {
    const { mean, sigma } = scaleOf(x);
    const [gain, bias] = [data(`${name}.weight`), data(`${name}.bias`)];
    return x.map((value, i) => ((value - mean) / sigma) * gain[i]! + bias[i]!);
  };
  const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  const sites = new Map<string, Plain>();
  const at = <T extends Plain>(site: SiteName, layer: number, value: T): T => {
    hook(site, layer, value);
    sites.set(`${site}.${layer}`, copy(value));
    return value;
  };
  const add = (a: number[][], b: number[][]): number[][] => a.map((row, i) => row.map((value, j) => value + b[i]![j]!));

  let x = at('embed', 0, tokens.map((token, position) => Array.from({ length: width }, (_, i) => data('wte.weight')[token * width + i]! + data('wpe.weight')[position * width + i]!)));
  for (let layer = 0; layer < layers; layer++) {
    const name = `h.${layer}`;
    x = at('resid_pre', layer, x.map((row) => [...row]));
    const qkv = x.map((row) => linear(norm(row, `${name}.ln_1`), `${name}.attn.c_attn`));
    const [q, k, v] = [0, 1, 2].map((part) => at((['q', 'k', 'v'] as const)[part]!, layer, qkv.map((row) => row.slice(part * width, (part + 1) * width)))) as [number[][], number[][], number[][]];
    const dot = (head: number, dest: number, source: number): number => {
      let sum = 0;
      for (let i = head * dHead; i < (head + 1) * dHead; i++) sum += q[dest]![i]! * k[source]![i]!;
      return sum / Math.sqrt(dHead);
    };
    const each = <T>(make: (head: number, dest: number) => T): T[][] => Array.from({ length: heads }, (_, head) => tokens.map((__, dest) => make(head, dest)));
    const scores = at('scores', layer, each((head, dest) => tokens.map((_, source) => dot(head, dest, source))));
    const pattern = at('pattern', layer, each((head, dest) => {
      const visible = scores[head]![dest]!.slice(0, dest + 1);
      const largest = Math.max(...visible);
      const weights = visible.map((score) => Math.exp(score - largest));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return tokens.map((_, source) => (source <= dest ? weights[source]! / sum : 0));
    }));
    const z = at('z', layer, tokens.map((_, dest) => Array.from({ length: width }, (__, i) => pattern[Math.floor(i / dHead)]![dest]!.reduce((sum, weight, source) => sum + weight * v[source]![i]!, 0))));
    const attnOut = at('attn_out', layer, z.map((row) => linear(row, `${name}.attn.c_proj`)));
    const mid = at('resid_mid', layer, add(x, attnOut));
    const post = at('mlp_post', layer, mid.map((row) => linear(norm(row, `${name}.ln_2`), `${name}.mlp.c_fc`).map(gelu)));
    const mlpOut = at('mlp_out', layer, post.map((row) => linear(row, `${name}.mlp.c_proj`)));
    x = at('resid_post', layer, add(mid, mlpOut));
  }
  return { sites, normed: x.map((row) => norm(row, 'ln_f')), sigma: x.map((row) => scaleOf(row).sigma) };
}

const unpatched = new WeakMap<PlainModel, Map<string, PlainRun>>();

/** `plainRun` without a hook, each prompt once per model. */
function unpatchedRun(model: PlainModel, tokens: readonly number[]): PlainRun {
  const runs = unpatched.get(model) ?? new Map<string, PlainRun>();
  unpatched.set(model, runs);
  const run = runs.get(tokens.join()) ?? plainRun(model, tokens);
  runs.set(tokens.join(), run);
  return run;
}

function logitsAt({ config, tensors }: PlainModel, run: PlainRun, position: number): number[] {
  const { n_embd: width } = config;
  const { data } = tensors.get('wte.weight')!;
  const x = run.normed[position]!;
  return Array.from({ length: config.vocab_size }, (_, token) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += x[i]! * data[token * width + i]!;
    return sum;
  });
}

function logProbabilities(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)) + largest;
  return logits.map((logit) => logit - total);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The experiment's metric in one run of one of the pair's prompts, `tokens` (for `continuation` see `plainPatch`). */
export function plainMetric(model: PlainModel, { metric }: TokenExperiment, pair: TokenPair, run: PlainRun, tokens: readonly number[], clean: PlainRun): number {
  const shift = tokens.length - pair.clean.length;
  const at = (pair.at ?? pair.clean.length - 1) + shift;
  const logits = (): number[] => logitsAt(model, run, at);
  const probability = (basket: readonly number[]): number => {
    const logs = logProbabilities(logits());
    return [...new Set(basket)].reduce((sum, token) => sum + Math.exp(logs[token]!), 0);
  };
  const average = (basket: readonly number[]): number => {
    const all = logits();
    return mean(basket.map((token) => all[token]!));
  };
  if (typeof metric === 'object') {
    switch (metric.activation) {
      case 'attention':
        return (run.sites.get(`pattern.${metric.layer}`) as number[][][])[metric.head]![at]![pair.source! + shift]!;
      case 'neuron':
        return (run.sites.get(`mlp_post.${metric.layer}`) as number[][])[at]![metric.neuron]!;
      case 'directLogit':
        return directLogit(model, metric, pair, run, at);
    }
  }
  switch (metric) {
    case 'logitDiff':
      return average(pair.correct) - average(pair.incorrect);
    case 'logProb':
      return Math.log(probability(pair.correct));
    case 'prob':
      return probability(pair.correct);
    case 'probDiff':
      return probability(pair.correct) - probability(pair.incorrect);
    case 'logitMinusMean':
      return average(pair.correct) - mean(logits());
    case 'kl': {
      const own = logProbabilities(logits());
      const reference = logProbabilities(logitsAt(model, clean, pair.at ?? pair.clean.length - 1));
      return -reference.reduce((sum, value, token) => sum + Math.exp(value) * (value - own[token]!), 0);
    }
    case 'promptLogProb': {
      const [first, last] = pair.range ?? [firstDifference(pair.clean, pair.corrupted ?? pair.clean) ?? 0, pair.clean.length - 2];
      return mean(Array.from({ length: last - first + 1 }, (_, i) => logProbabilities(logitsAt(model, run, first + i))[pair.clean[first + i + 1]!]!));
    }
    case 'continuation':
      throw new Error('in two runs');
  }
}

function directLogit({ config, tensors }: PlainModel, { layer, head }: { layer: number; head?: number }, pair: TokenPair, run: PlainRun, at: number): number {
  const { n_embd: width, n_head: heads } = config;
  const dHead = width / heads;
  const written = head === undefined
    ? (run.sites.get(`mlp_out.${layer}`) as number[][])[at]!
    : Array.from({ length: width }, (_, j) => Array.from({ length: dHead }, (__, i) => (run.sites.get(`z.${layer}`) as number[][])[at]![head * dHead + i]! * tensors.get(`h.${layer}.attn.c_proj.weight`)!.data[(head * dHead + i) * width + j]!).reduce((sum, value) => sum + value, 0));
  const centre = mean(written);
  const unembed = (token: number, i: number): number => tensors.get('wte.weight')!.data[token * width + i]!;
  return written.reduce((sum, value, i) => {
    const direction = mean(pair.correct.map((token) => unembed(token, i))) - mean(pair.incorrect.map((token) => unembed(token, i)));
    return sum + ((value - centre) / run.sigma[at]!) * tensors.get('ln_f.weight')!.data[i]! * direction;
  }, 0);
}

/** Effects of one cell on the pairs of `indices`: all of one length group. */
export function plainPatch(model: PlainModel, experiment: TokenExperiment, indices: readonly number[], cell: PatchCell): number[] {
  const { direction, metric } = experiment;
  if (metric !== 'continuation') return indices.map((index) => effectOf(model, experiment, experiment.pairs[index]!, indices, cell, []));
  return indices.map((index) => {
    const pair = experiment.pairs[index]!;
    const effect = (continuation: number[]): number => (continuation.length === 0 ? 0 : effectOf(model, { ...experiment, metric, direction }, pair, indices, cell, continuation));
    return effect(pair.correct) - effect(pair.incorrect);
  });
}

function effectOf(model: PlainModel, experiment: TokenExperiment, pair: TokenPair, indices: readonly number[], cell: PatchCell, continuation: readonly number[]): number {
  const { direction, pairs } = experiment;
  const other: Other = experiment.other ?? 'corrupted';
  const withEnd = (tokens: readonly number[]): number[] => [...tokens, ...continuation];
  const next = withEnd(pairs[indices[(indices.findIndex((index) => pairs[index] === pair) + 1) % indices.length]!]!.clean);
  const clean = withEnd(pair.clean);
  const corrupted = other === 'resample' ? next : withEnd(pair.corrupted ?? []);
  const [base, otherTokens] = direction === 'denoise' ? [corrupted, clean] : [clean, corrupted];

  const { n_head: heads, n_embd: width } = model.config;
  const unequal = pair.corrupted !== undefined && pair.corrupted.length !== pair.clean.length;
  const at = pair.at ?? pair.clean.length - 1;
  const fromStart = (position: number): number => (position < 0 ? pair.clean.length + position : position);
  /** Replaces the unit in a run of the base prompt. */
  const replacing = ({ site, layer = 0, head, neuron, position, source }: PatchCell, by: Other): Hook => {
    const covers = (p: number): boolean => {
      if (unequal) return p === base.length - 1 - (pair.clean.length - 1 - at);
      return position === undefined ? p < pair.clean.length : p === (position === 'last' ? at : fromStart(position));
    };
    const kind = by === 'corrupted' && (other === 'zero' || other === 'mean') ? other : by;
    const read = (tokens: readonly number[], a: number, b: number, c?: number): number => {
      const value = unpatchedRun(model, tokens).sites.get(`${site}.${layer}`)!;
      return c === undefined ? (value as number[][])[a + tokens.length - base.length]![b]! : (value as number[][][])[a]![b]![c]!;
    };
    const replacement = (a: number, b: number, c?: number): number => {
      if (kind === 'zero') return 0;
      if (kind === 'mean') return mean(indices.map((index) => read(withEnd(pairs[index]!.clean), a, b, c)));
      return read(kind === 'resample' ? next : otherTokens, a, b, c);
    };
    return (hooked, hookedLayer, value) => {
      if (hooked !== site || hookedLayer !== layer) return;
      value.forEach((outer, a) => outer.forEach((inner, b) => {
        if (Array.isArray(inner)) {
          if ((head ?? a) === a && covers(b)) inner.forEach((_, c) => (source === undefined || fromStart(source) === c) && (inner[c] = replacement(a, b, c)));
        } else if (covers(a) && (neuron ?? b) === b && (head === undefined || Math.floor(b / (width / heads)) === head)) {
          (outer as number[])[b] = replacement(a, b);
        }
      }));
    };
  };
  const interventions = (experiment.variant?.interventions ?? []).map((own) => replacing(own.unit, own.with));
  const run = (hooks: readonly Hook[]): PlainRun => (hooks.length === 0 ? unpatchedRun(model, base) : plainRun(model, base, (...values) => hooks.forEach((hook) => hook(...values))));
  const measure = (own: PlainRun): number => {
    if (continuation.length === 0) return plainMetric(model, experiment, pair, own, base, unpatchedRun(model, clean));
    const start = base.length - continuation.length;
    return continuation.reduce((sum, token, i) => sum + logProbabilities(logitsAt(model, own, start + i - 1))[token]!, 0);
  };
  const difference = measure(run([...interventions, replacing(cell, 'corrupted')])) - measure(run(interventions));
  return direction === 'denoise' ? difference : -difference;
}
