/** The named activations one can attribute. Adding a site is adding a row (and its capture in the forward pass). */
export type Axis = 'pair' | 'layer' | 'position' | 'head';

export interface Site {
  name: SiteName;
  title: string;
  /** What a person reads beside the heatmap. */
  description: string;
  /** Axes of its attribution array, outermost first; summed over features. */
  axes: readonly Axis[];
}

export type SiteName = 'z' | 'attn_out' | 'mlp_out' | 'resid_pre';

export const SITES: Readonly<Record<SiteName, Site>> = {
  z: {
    name: 'z',
    title: 'Head output (z)',
    description: 'Output of each attention head before its output projection.',
    axes: ['pair', 'layer', 'position', 'head'],
  },
  attn_out: {
    name: 'attn_out',
    title: 'Attention output',
    description: 'What the attention block of a layer adds to the residual stream.',
    axes: ['pair', 'layer', 'position'],
  },
  mlp_out: {
    name: 'mlp_out',
    title: 'MLP output',
    description: 'What the MLP of a layer adds to the residual stream.',
    axes: ['pair', 'layer', 'position'],
  },
  resid_pre: {
    name: 'resid_pre',
    title: 'Residual stream',
    description: 'The residual stream as it enters a layer.',
    axes: ['pair', 'layer', 'position'],
  },
};

export const SITE_NAMES = Object.keys(SITES) as SiteName[];
