import { CircuitError } from '../../shared/errors';

/** What the forward pass must know of a GPT-2, from Hugging Face's config.json. */
export interface Gpt2Config {
  layers: number;
  heads: number;
  dModel: number;
  dHead: number;
  dMlp: number;
  vocabulary: number;
  /** Number of learned positions: the longest prompt. */
  context: number;
  layerNormEpsilon: number;
  activation: Activation;
  /** Attention scores are divided by √dHead. */
  scaleByHead: boolean;
  /** … and by layer + 1. */
  scaleByLayer: boolean;
  /** The unembedding is the token embedding. */
  tied: boolean;
}

/** gelu-tanh: x·½(1 + tanh(√(2/π)(x + 0.044715x³))), GPT-2's own; gelu: x·Φ(x); relu: max(x, 0). */
export type Activation = 'gelu-tanh' | 'gelu' | 'relu';

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu_new: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu: 'gelu',
  relu: 'relu',
};

/** No field of a sound config is larger; anything beyond would overflow the arithmetic of sizes. */
const LARGEST = 2 ** 24;
/** Twenty times what the largest GPT-2 has; every layer's weights are looked for by name. */
const MOST_LAYERS = 1024;

/**
 * Checks config.json and fills in GPT-2's defaults.
 * Throws `model-invalid` when it is no JSON or a size is missing or impossible, `model-unsupported` when it describes
 * another architecture or a variant that is not computed here.
 * Ignored because they change no result: dropout, `reorder_and_upcast_attn`, `use_cache`, summary and token-id fields.
 */
export function parseConfig(text: string): Gpt2Config {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CircuitError('model-invalid', 'The model\'s config.json is not JSON. Download it again.', { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('it is not a JSON object');
  const fields = json as Record<string, unknown>;

  refuseOthers(fields);
  const dModel = count(fields, 'n_embd');
  const heads = count(fields, 'n_head');
  if (dModel % heads !== 0) throw invalid(`n_embd ${dModel} is not a multiple of n_head ${heads}`);
  const epsilon = fields.layer_norm_epsilon ?? 1e-5;
  if (typeof epsilon !== 'number' || !(epsilon > 0 && epsilon < 1)) throw invalid(`layer_norm_epsilon is ${JSON.stringify(epsilon)}`);
  return {
    layers: count(fields, 'n_layer', MOST_LAYERS),
    heads,
    dModel,
    dHead: dModel / heads,
    dMlp: fields.n_inner === undefined || fields.n_inner === null ? 4 * dModel : count(fields, 'n_inner'),
    vocabulary: count(fields, 'vocab_size'),
    context: count(fields, 'n_positions' in fields ? 'n_positions' : 'n_ctx'),
    layerNormEpsilon: epsilon,
    activation: activationOf(fields.activation_function ?? 'gelu_new'),
    scaleByHead: flag(fields, 'scale_attn_weights', true),
    scaleByLayer: flag(fields, 'scale_attn_by_inverse_layer_idx', false),
    tied: flag(fields, 'tie_word_embeddings', true),
  };
}

function refuseOthers(fields: Record<string, unknown>): void {
  const type = fields.model_type;
  const architectures = Array.isArray(fields.architectures) ? fields.architectures : [];
  const isGpt2 = type === 'gpt2' || (type === undefined && architectures.some((name) => String(name).startsWith('GPT2')));
  if (!isGpt2) {
    const what = type ?? architectures[0] ?? 'unnamed';
    throw unsupported(`its type is ${JSON.stringify(what)}; GPT-2 models can be run`);
  }
  if (fields.add_cross_attention === true) throw unsupported('it has cross-attention');
  if (fields.quantization_config !== undefined && fields.quantization_config !== null) throw unsupported('its weights are quantised; take the F32, F16 or BF16 files');
}

function activationOf(name: unknown): Activation {
  const activation = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (!activation) throw unsupported(`its activation function is ${JSON.stringify(name)}; known are ${Object.keys(ACTIVATIONS).join(', ')}`);
  return activation;
}

function count(fields: Record<string, unknown>, name: string, largest = LARGEST): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > largest) {
    throw invalid(value === undefined ? `${name} is missing` : `${name} is ${JSON.stringify(value)}`);
  }
  return value;
}

function flag(fields: Record<string, unknown>, name: string, otherwise: boolean): boolean {
  const value = fields[name] ?? otherwise;
  if (typeof value !== 'boolean') throw invalid(`${name} is ${JSON.stringify(value)}`);
  return value;
}

function invalid(what: string): CircuitError {
  return new CircuitError('model-invalid', `The model's config.json cannot be used: ${what}.`);
}

function unsupported(what: string): CircuitError {
  return new CircuitError('model-unsupported', `This model cannot be run: ${what}.`);
}
