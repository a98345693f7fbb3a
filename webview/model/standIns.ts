import { OTHERS, type Other } from '../../src/shared/experiment';
import type { RunSummary } from '../../src/shared/panelProtocol';

/** What an intervention can put in the place of a part. */

/** Under an ablation there is no corrupted run to take anything from. */
export function standIns(other: Other): readonly Other[] {
  return other === 'corrupted' ? OTHERS : OTHERS.filter((value) => value !== 'corrupted');
}

/** Why it would put a prompt in its own place; undefined where it does not. Means and other pairs are of prompts of as many tokens. */
export function standInFault({ groups }: Pick<RunSummary, 'groups'>, value: Other): string | undefined {
  const isAlone = ({ pairs }: { pairs: readonly unknown[] }): boolean => pairs.length === 1;
  if (value === 'mean' && groups.every(isAlone)) return 'no other prompt is as long: its mean is itself';
  if (value === 'resample' && groups.some(isAlone)) return 'a prompt has no other that is as long';
  return undefined;
}

/** What is offered first: means, where they say something. */
export function firstStandIn(run: Pick<RunSummary, 'groups'>, other: Other): Other {
  const sound = standIns(other).filter((value) => standInFault(run, value) === undefined);
  return sound.find((value) => value === 'mean') ?? sound[0]!;
}
