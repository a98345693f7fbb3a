import * as tf from '@tensorflow/tfjs-core';
import { packArrays, sizeOf } from '../../shared/arrays';
import { CircuitError } from '../../shared/errors';
import type { TokenExperiment, TokenPair } from '../../shared/experiment';
import type { LensResult } from '../../shared/results';
import type { SiteName } from '../../shared/sites';
import type { ForwardRun } from '../model/forward';
import { linearBackward } from '../model/layers';
import { finalNormBackward } from '../model/logits';
import { takeRows } from '../model/rows';
import { chunksByLength, sequencesWork, withTrailingRun } from '../model/trailing';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { logitDiffDirections } from './metricLinear';
import { fromEnd, metricPosition, rowFromEnd } from './metricPositions';
import { planChunks } from './plan';

/** What the lens reads of every layer. */
export const LENS_SITES = ['resid_pre', 'resid_mid', 'z', 'mlp_out'] as const satisfies readonly SiteName[];

/** One side's arrays: [pair, …], flat. */
interface Side {
  lens: Float32Array;
  heads: Float32Array;
  mlp: Float32Array;
  embed: Float32Array;
  position: Float32Array;
  bias: Float32Array;
}

/**
 * Direct logit attribution and logit lens of every pair's prompts, see LensResult for the arrays. With x the final residual
 * stream at the metric's position, σ its scale there, d = mean W_U[correct] − mean W_U[incorrect] and g = gain_f ∘ d,
 *   u = (g − mean g)/σ,  c = bias_f · d,
 * what is added to the residual stream, y, counts y · u: heads z[head]·W_O[head], MLPs with their output bias, W_E[token],
 * W_pos[position]; bias is Σ_layers b_O · u + c. Their sum is the logit difference. The lens at a depth is
 * residual stream · u + c, so that its last depth is the logit difference too: every depth is read with the scale of the
 * last one, not normalised anew.
 * A continuation is read by its first token. The experiment's interventions are not done here; under an ablation there is
 * no corrupted side. Throws `experiment` where a pair has no answers, `cancelled`. Work: `lensWork`.
 */
export async function lens(model: Gpt2, experiment: TokenExperiment, work: Work): Promise<LensResult> {
  const { pairs } = experiment;
  planChunks(experiment, model.config); // for its checks
  pairs.forEach(({ correct, incorrect }, index) => {
    if (correct.length > 0 && incorrect.length > 0) return;
    throw new CircuitError('experiment', `Pair ${index + 1} has no ${correct.length > 0 ? 'incorrect' : 'correct'} answer, so there is no direction to read the residual stream along. Add one to the prompt file.`);
  });
  const { layers, heads } = model.config;
  const directions = logitDiffDirections(model, pairs.map((pair) => (experiment.metric === 'continuation' ? firstTokens(pair) : pair)));
  try {
    const arrays: { name: string; axes: string[]; shape: number[]; data: Float32Array }[] = [];
    for (const [name, prompts] of sides(experiment)) {
      work.begin(`Reading the ${name} prompts`);
      const side = emptySide(model, pairs.length);
      for (const indices of chunksByLength(prompts)) {
        const backs = indices.map((index) => fromEnd(pairs[index]!, metricPosition(pairs[index]!)));
        const tokens = indices.map((index) => prompts[index]!);
        const options = { sites: LENS_SITES, record: false, tail: 1 + Math.max(...backs) } as const;
        await withTrailingRun(model, tokens, options, (run) => readChunk(model, run, tokens, backs, takeRows(directions, indices), indices, side, work), work);
      }
      const extents = { pair: pairs.length, depth: 2 * layers + 1, layer: layers, head: heads };
      for (const [array, axes] of [['lens', ['pair', 'depth']], ['heads', ['pair', 'layer', 'head']], ['mlp', ['pair', 'layer']], ['embed', ['pair']], ['position', ['pair']], ['bias', ['pair']]] as const) {
        arrays.push({ name: `${name}.${array}`, axes: [...axes], shape: axes.map((axis) => extents[axis]), data: side[array] });
      }
    }
    return { arrays: packArrays(arrays) };
  } finally {
    directions.dispose();
  }
}

/** Work of `lens`, in the unit in which the forward pass counts. */
export function lensWork(model: Gpt2, experiment: TokenExperiment): number {
  return sides(experiment).reduce((sum, [, prompts]) => sum + sequencesWork(model, prompts), 0);
}

function sides({ pairs, other = 'corrupted' }: TokenExperiment): ['clean' | 'corrupted', number[][]][] {
  const clean: ['clean', number[][]] = ['clean', pairs.map((pair) => pair.clean)];
  return other === 'corrupted' ? [clean, ['corrupted', pairs.map(({ corrupted = [] }) => corrupted)]] : [clean];
}

function firstTokens({ correct, incorrect }: TokenPair): Pick<TokenPair, 'correct' | 'incorrect'> {
  return { correct: correct.slice(0, 1), incorrect: incorrect.slice(0, 1) };
}

function emptySide({ config: { layers, heads } }: Gpt2, pairs: number): Side {
  const zeros = (...shape: number[]): Float32Array => new Float32Array(sizeOf([pairs, ...shape]));
  return { lens: zeros(2 * layers + 1), heads: zeros(layers, heads), mlp: zeros(layers), embed: zeros(), position: zeros(), bias: zeros() };
}

/** Puts sequence i of the run, whose metric's position stands backs[i] before its end, into row indices[i] of `side`. Disposes `directions`. */
function readChunk(model: Gpt2, run: ForwardRun, tokens: readonly (readonly number[])[], backs: readonly number[], directions: tf.Tensor2D, indices: readonly number[], side: Side, work: Work): void {
  const { layers, heads, dHead } = model.config;
  /** The rows of a site at the metric's position. */
  const at = (x: tf.Tensor): tf.Tensor2D => takeRows(x as tf.Tensor2D, backs.map((back, i) => rowFromEnd(x.shape[0]! / run.batch, i, back)));
  const put = (into: Float32Array, width: number, offset: number, values: tf.Tensor): void => {
    const own = values.dataSync<'float32'>();
    const count = own.length / indices.length;
    indices.forEach((index, i) => into.set(own.subarray(i * count, (i + 1) * count), index * width + offset));
  };
  tf.tidy(() => {
    const last = at(run.last);
    const u = finalNormBackward(model, directions, last, true);
    const constant = tf.sum(tf.mul(directions, model.finalNorm.bias), -1);
    const read = (x: tf.Tensor): tf.Tensor => tf.sum(tf.mul(x, u), -1);
    const depth = 2 * layers + 1;
    let bias = constant;
    for (let layer = 0; layer < layers; layer++) {
      work.poll();
      const { resid_pre: pre, resid_mid: mid, z, mlp_out: mlpOut } = run.layers[layer]!.sites as Record<string, tf.Tensor>;
      put(side.lens, depth, 2 * layer, tf.add(read(at(pre!)), constant));
      put(side.lens, depth, 2 * layer + 1, tf.add(read(at(mid!)), constant));
      const { weight, bias: outputBias } = model.blocks[layer]!.output;
      const products = tf.mul(at(z!), linearBackward(u, weight, work));
      put(side.heads, layers * heads, layer * heads, tf.sum(tf.reshape(products, [indices.length, heads, dHead]), -1));
      put(side.mlp, layers, layer, read(at(mlpOut!)));
      bias = tf.add(bias, read(outputBias));
    }
    put(side.lens, depth, depth - 1, tf.add(read(last), constant));
    put(side.embed, 1, 0, read(tf.gather(model.tokens, tf.tensor1d(tokens.map((own, i) => own.at(-1 - backs[i]!)!), 'int32'))));
    put(side.position, 1, 0, read(tf.gather(model.positions, tf.tensor1d(tokens.map((own, i) => own.length - 1 - backs[i]!), 'int32'))));
    put(side.bias, 1, 0, bias);
  });
  directions.dispose();
}
