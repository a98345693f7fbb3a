/** The named activations one can attribute and patch. Adding a site is adding a row (and its place in the forward pass). */
export type Axis = 'pair' | 'layer' | 'position' | 'head' | 'neuron';

export type SiteName =
  | 'embed'
  | 'resid_pre'
  | 'resid_mid'
  | 'resid_post'
  | 'attn_out'
  | 'mlp_out'
  | 'z'
  | 'q'
  | 'k'
  | 'v'
  | 'scores'
  | 'pattern'
  | 'mlp_post';

export interface Site {
  name: SiteName;
  title: string;
  /** What a person reads beside the heatmap. */
  description: string;
  /** Axes of its attribution array, outermost first; summed over features, for scores and pattern over sources. */
  axes: readonly Axis[];
}

const STREAM: readonly Axis[] = ['pair', 'layer', 'position'];
const HEADS: readonly Axis[] = ['pair', 'layer', 'position', 'head'];

export const SITES: Readonly<Record<SiteName, Site>> = {
  z: { name: 'z', title: 'Head output (z)', description: 'Output of each attention head before its output projection.', axes: HEADS },
  q: { name: 'q', title: 'Queries (q)', description: 'Query of each attention head.', axes: HEADS },
  k: { name: 'k', title: 'Keys (k)', description: 'Key of each attention head; its position is the source.', axes: HEADS },
  v: { name: 'v', title: 'Values (v)', description: 'Value of each attention head; its position is the source.', axes: HEADS },
  pattern: { name: 'pattern', title: 'Attention pattern', description: 'Attention probabilities of each head, summed over sources; the position is the destination.', axes: HEADS },
  scores: { name: 'scores', title: 'Attention scores', description: 'Attention scores before the softmax, summed over sources; the position is the destination.', axes: HEADS },
  resid_pre: { name: 'resid_pre', title: 'Residual stream (before)', description: 'The residual stream as it enters a layer.', axes: STREAM },
  resid_mid: { name: 'resid_mid', title: 'Residual stream (middle)', description: 'The residual stream between the attention and the MLP of a layer.', axes: STREAM },
  resid_post: { name: 'resid_post', title: 'Residual stream (after)', description: 'The residual stream as it leaves a layer.', axes: STREAM },
  attn_out: { name: 'attn_out', title: 'Attention output', description: 'What the attention block of a layer adds to the residual stream.', axes: STREAM },
  mlp_out: { name: 'mlp_out', title: 'MLP output', description: 'What the MLP of a layer adds to the residual stream.', axes: STREAM },
  embed: { name: 'embed', title: 'Embedding', description: 'Token and position embedding, the start of the residual stream.', axes: ['pair', 'position'] },
  mlp_post: { name: 'mlp_post', title: 'MLP neurons', description: 'Neurons of the MLP after the activation function.', axes: ['pair', 'layer', 'position', 'neuron'] },
};

export const SITE_NAMES = Object.keys(SITES) as SiteName[];

/** What a run attributes unless it is told otherwise: everything but the neurons, which are many. */
export const DEFAULT_SITES: readonly SiteName[] = SITE_NAMES.filter((site) => site !== 'mlp_post');

/** TransformerLens's families of activation patching: its `*_every` functions stack these. */
export const BLOCK_EVERY: readonly SiteName[] = ['resid_pre', 'attn_out', 'mlp_out'];
export const HEAD_EVERY: readonly SiteName[] = ['z', 'q', 'k', 'v', 'pattern'];

export function hasHeads(site: SiteName): boolean {
  return SITES[site].axes.includes('head');
}

/** Sites with a matrix of destinations by sources per head; their position is the destination. */
export function hasSources(site: SiteName): boolean {
  return site === 'pattern' || site === 'scores';
}
