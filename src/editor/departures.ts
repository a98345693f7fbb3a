import { metricTitle } from '../shared/metrics';
import { OTHER_WORDS } from '../shared/otherSide';
import type { RunManifest } from '../shared/run';
import { variantWords } from '../shared/variants';

/** What a person changes between two runs of one file, beside direction and BOS: "zero ablation", "probability", "at S2", "AtP* QK fix". What is usual goes without saying. */
export function departuresOf({ experiment }: Pick<RunManifest, 'experiment'>): string[] {
  const { metric, other = 'corrupted', at } = experiment;
  return [
    ...(other === 'corrupted' ? [] : [OTHER_WORDS[other].name]),
    ...(metric === 'logitDiff' ? [] : [metricTitle(metric)]),
    ...(at === undefined ? [] : [`at ${at}`]),
    ...variantWords(experiment),
  ];
}
