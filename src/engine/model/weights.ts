import * as tf from '@tensorflow/tfjs-core';
import { readWeights, type Checkpoint, type TakeWeight } from './checkpoint';
import type { Gpt2Config } from './config';
import { heapRoom, type HeapRoom } from './heapRoom';
import { matrix, type Matrix } from './matrix';
import type { Work } from './work';

/** y = x·weight + bias; weight [in, out]. */
export interface Linear {
  weight: Matrix;
  bias: tf.Tensor1D;
}

export interface Norm {
  gain: tf.Tensor1D;
  bias: tf.Tensor1D;
}

export interface Block {
  norm1: Norm;
  query: Linear;
  key: Linear;
  value: Linear;
  /** z → attn_out */
  output: Linear;
  norm2: Norm;
  mlpIn: Linear;
  mlpOut: Linear;
}

/** A GPT-2 in the backend's memory: the raw weights of the checkpoint, nothing folded. */
export interface Gpt2 {
  config: Gpt2Config;
  /** [vocabulary, dModel] */
  tokens: tf.Tensor2D;
  /** [context, dModel] */
  positions: tf.Tensor2D;
  blocks: Block[];
  finalNorm: Norm;
  /** [vocabulary, dModel]: rows are the columns of W_U. The token embedding itself when tied. */
  unembedding: tf.Tensor2D;
}

/** Reads a checkpoint into tensors, one weight after the other. Nothing stays allocated when it fails. */
export async function loadWeights(checkpoint: Checkpoint, work: Work): Promise<{ model: Gpt2; hash: string }> {
  const tensors = new Map<string, tf.Tensor | Matrix>();
  let room: HeapRoom | undefined;
  try {
    const take: TakeWeight = (weight, values, shape) => {
      work.poll();
      const whole = room?.tensor ?? tf.tensor(values, [...shape]);
      room = undefined;
      for (const [name, part] of weight.includes('.c_attn.') ? splitQkv(weight, whole) : [[weight, whole] as const]) {
        tensors.set(name, LINEAR.test(name) ? matrix(part as tf.Tensor2D) : part);
      }
    };
    const hash = await readWeights(checkpoint, work, take, (_, shape) => (room = heapRoom(shape))?.values);
    return { model: assemble(checkpoint.config, tensors), hash };
  } catch (error) {
    room?.tensor.dispose();
    for (const tensor of tensors.values()) tensor.dispose();
    throw error;
  }
}

/** Weights that only stand in products. */
const LINEAR = /\.(attn|mlp)\..*\.weight$/;

/** c_attn holds queries, keys and values side by side: [in, 3·d] or [3·d]. `whole` is disposed. */
function splitQkv(name: string, whole: tf.Tensor): [string, tf.Tensor][] {
  const parts = tf.split(whole, 3, -1);
  whole.dispose();
  return (['query', 'key', 'value'] as const).map((part, index) => [name.replace('c_attn', part), parts[index]!]);
}

function assemble(config: Gpt2Config, tensors: ReadonlyMap<string, tf.Tensor | Matrix>): Gpt2 {
  const get = <T extends tf.Tensor | Matrix>(name: string): T => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`weight ${name} was not read`);
    return tensor as T;
  };
  const linear = (name: string): Linear => ({ weight: get(`${name}.weight`), bias: get(`${name}.bias`) });
  const norm = (name: string): Norm => ({ gain: get(`${name}.weight`), bias: get(`${name}.bias`) });
  const tokens = get<tf.Tensor2D>('wte.weight');
  return {
    config,
    tokens,
    positions: get('wpe.weight'),
    blocks: Array.from({ length: config.layers }, (_, layer) => ({
      norm1: norm(`h.${layer}.ln_1`),
      query: linear(`h.${layer}.attn.query`),
      key: linear(`h.${layer}.attn.key`),
      value: linear(`h.${layer}.attn.value`),
      output: linear(`h.${layer}.attn.c_proj`),
      norm2: norm(`h.${layer}.ln_2`),
      mlpIn: linear(`h.${layer}.mlp.c_fc`),
      mlpOut: linear(`h.${layer}.mlp.c_proj`),
    })),
    finalNorm: norm('ln_f'),
    unembedding: config.tied ? tokens : get('lm_head.weight'),
  };
}

export function disposeWeights(model: Gpt2): void {
  const { tokens, positions, blocks, finalNorm, unembedding } = model;
  const linears = blocks.flatMap((block) => [block.query, block.key, block.value, block.output, block.mlpIn, block.mlpOut]);
  const norms = [finalNorm, ...blocks.flatMap((block) => [block.norm1, block.norm2])];
  const all: { dispose(): void }[] = [tokens, positions, ...linears.flatMap(({ weight, bias }) => [weight, bias]), ...norms.flatMap(({ gain, bias }) => [gain, bias])];
  if (unembedding !== tokens) all.push(unembedding);
  for (const tensor of all) tensor.dispose();
}
