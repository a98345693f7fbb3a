import { linear } from '../model/layers';
import { rowwise } from '../model/rowwise';
import type { Gpt2, Norm } from '../model/weights';
import type { Work } from '../model/work';
import type { AblatedSide } from './circuitAblated';
import { headValues } from './circuitHeads';
import { mixInputs, stacked, trailingRows, valuesOf } from './circuitMix';
import { INPUT_VALUE, type CircuitPlan, type MixedInput } from './circuitPlan';

/** Rows of MLPs that are run at a time; bounds their memory. */
export const MLP_ROWS = 512;

/**
 * The edge-level forward pass: for every component of the plan
 *   input = ablated residual stream + Σ values of the senders that have an edge to it in the circuit; queries, keys and values apart;
 *   value = what the component makes of its inputs, LayerNorm computed anew, − what it adds in the ablated run:
 * of a head z·W_O[head] (no bias), of an MLP its output. Returns the residual stream that the logits read, of each of the plan's
 * `outputs` one: [output, pair, trailing position, dModel], flat. Throws `cancelled`.
 */
export async function runCircuitPlan(model: Gpt2, plan: CircuitPlan, side: AblatedSide, work: Work): Promise<Float32Array> {
  const { layers } = model.config;
  const { pairs, positions } = side;
  /** By number: [pair, position, dModel]. */
  const values: Float32Array[] = [];
  values[INPUT_VALUE] = side.input;
  const circuits = plan.outputOf.length;
  for (let layer = 0; layer < layers; layer++) {
    const { inputs, heads, mlpInputs, mlps } = plan.layers[layer]!;
    const { norm1, norm2 } = model.blocks[layer]!;
    await work.pause();
    if (heads.length > 0) {
      const read = mixed(model, inputs, side.pre[layer]!, values, side, norm1, work);
      const found = await headValues(model, layer, heads, read, side, work);
      heads.forEach(({ value }, i) => (values[value] = found[i]!));
    }
    await work.pause();
    if (mlps.length > 0) {
      const read = mixed(model, mlpInputs, side.mid[layer]!, values, side, norm2, work);
      const found = await mlpOutputs(model, layer, read, work);
      for (const { value, input } of mlps) values[value] = found[input]!.map((out, i) => out - side.mlpOut[layer]![i]!);
    }
    work.advance(circuits * pairs * positions);
  }
  const read = mixed(model, plan.outputs, side.last, values, side, undefined, work);
  const all = new Float32Array(read.length * side.last.length);
  read.forEach((rows, i) => all.set(rows, i * side.last.length));
  return all;
}

/** The inputs, normalised unless there is no `norm`: [pair, position, dModel] each, of the trailing positions where the input says so. */
function mixed(model: Gpt2, inputs: readonly MixedInput[], ablated: Float32Array, values: readonly Float32Array[], { pairs, tail, positions }: AblatedSide, norm: Norm | undefined, work: Work): Float32Array[] {
  const { dModel, layerNormEpsilon } = model.config;
  const results: Float32Array[] = [];
  for (const [isTail, count] of [[false, positions], [true, tail]] as const) {
    const indices = inputs.flatMap((input, index) => (input.tail === isTail ? [index] : []));
    if (indices.length === 0) continue;
    const rowsOf = (x: Float32Array): Float32Array => trailingRows(x, pairs, count * dModel);
    for (const index of indices) results[index] = new Float32Array(pairs * count * dModel);
    mixInputs(indices.map((index) => inputs[index]!), rowsOf(ablated), (value) => rowsOf(values[value]!), dModel, work, (x, own, first) => {
      const rows = (norm ? rowwise().affine(rowwise().normalise(x, layerNormEpsilon).unit, norm) : x).dataSync<'float32'>();
      const size = rows.length / own.length;
      own.forEach((input, i) => results[indices[input]!]!.set(rows.subarray(i * size, (i + 1) * size), first * dModel));
    });
  }
  return results;
}

/** The layer's MLP of each of these normalised inputs. */
async function mlpOutputs(model: Gpt2, layer: number, inputs: readonly Float32Array[], work: Work): Promise<Float32Array[]> {
  const { config, blocks } = model;
  const { mlpIn, mlpOut } = blocks[layer]!;
  const size = inputs[0]!.length;
  const rows = size / config.dModel;
  const step = Math.max(1, Math.floor(MLP_ROWS / rows));
  const outputs: Float32Array[] = [];
  for (let first = 0; first < inputs.length; first += step) {
    await work.pause();
    const own = inputs.slice(first, first + step);
    const found = valuesOf(() => linear(rowwise().activate(linear(stacked(own, rows), mlpIn, work), config.activation), mlpOut, work));
    own.forEach((_, i) => outputs.push(found.subarray(i * size, (i + 1) * size)));
  }
  return outputs;
}
