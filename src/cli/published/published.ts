import type { TextPair } from '../../shared/experiment';
import type { EdgeMethod } from '../../shared/paths';
import type { SiteName } from '../../shared/sites';

/** Numbers that others have published of a model, and how they came about. */
export interface Published {
  /** As a model is named on the command line. */
  model: string;
  layers: number;
  heads: number;
  dModel: number;
  pairs: TextPair[];
  prependBos: boolean;
  /** Logit difference of each pair's clean prompt, and head results over all positions, normalised, denoising. */
  nodes: {
    source: string;
    /** How far a result may be off. */
    bound: number;
    logitDiff: { mean: number; perPair: number[] };
    heads: PublishedHead[];
  };
  edges: {
    source: string;
    method: EdgeMethod;
    /** What a reader should know of how the numbers were made. */
    note: string;
    list: { edge: string; score: number }[];
    /** Of a whole graph file, so many of its strongest edges are compared, and their ranks have to agree by this much. */
    compared: number;
    spearman: number;
  };
}

export interface PublishedHead {
  site: SiteName;
  layer: number;
  head: number;
  exact: number;
  attribution: number;
}
