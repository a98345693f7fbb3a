import type { Other } from '../../src/shared/experiment';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { plural } from '../../src/shared/text';

/** What the edges outside a circuit carry, in words. */
export const ABLATIONS: Readonly<Record<Other, { label: string; explained: string; carrying: string }>> = {
  corrupted: { label: 'Corrupted', explained: 'Every other edge carries what the corrupted prompt puts there (MIB, EAP-IG): the empty circuit is the corrupted run.', carrying: 'corrupted' },
  zero: { label: 'Zero', explained: 'Every other edge carries nothing, which no part of the model has ever seen: the harshest of the four.', carrying: 'at zero' },
  mean: { label: 'Mean', explained: 'Every other edge carries its mean over the clean prompts of equal length: what these have in common stays.', carrying: 'at its mean' },
  resample: { label: 'Resample', explained: 'Every other edge carries what the next pair’s clean prompt puts there.', carrying: 'resampled from the next pair' },
};

/** Why circuits of this run cannot be run with an ablation; undefined where they can. */
export function ablationFault({ pairs, groups, metric }: Pick<RunSummary, 'pairs' | 'groups' | 'metric'>, ablation: Other): string | undefined {
  if (typeof metric === 'object') return 'A circuit ends at the logits, so it is measured by them and not by an activation. Choose a metric of the logits.';
  const alone = groups.filter((group) => group.pairs.length === 1);
  switch (ablation) {
    case 'corrupted':
      if (pairs.some(({ differsAt }) => differsAt === undefined)) return 'This run has no corrupted prompts.';
      return pairs.some(({ clean, corrupted }) => clean.length !== corrupted.length) ? 'Clean and corrupted prompts have unequal token counts.' : undefined;
    case 'mean':
      if (metric === 'continuation') return 'Continuations of several pairs have no common mean.';
      return alone.length === groups.length ? 'No two prompts are equally long: each one’s mean would be itself.' : undefined;
    case 'resample':
      return alone.length > 0 ? `There is only one prompt of ${plural(alone[0]!.length, 'token')}, and so none to resample from.` : undefined;
    case 'zero':
      return undefined;
  }
}
