import { OTHERS, type Other } from '../../src/shared/experiment';

/** What an intervention can put in the place of a part. */

/** Under an ablation there is no corrupted run to take anything from. */
export function standIns(other: Other): readonly Other[] {
  return other === 'corrupted' ? OTHERS : OTHERS.filter((value) => value !== 'corrupted');
}
