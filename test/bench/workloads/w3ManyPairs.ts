import { compare } from '../comparison';
import { RECIPES } from '../models';
import { attributionPeers } from '../peers';
import { distinctPositions, MANY, promptPairs } from '../prompts';
import type { Session } from '../session';

/** W3 */
export async function manyPairs(session: Session): Promise<void> {
  const pairs = promptPairs(MANY);
  const all = 2 * MANY.pairs * MANY.length;
  await compare(session, {
    workload: 'W3',
    title: '64 pairs of 40 tokens',
    about: `The same attribution of 64 pairs of 40 tokens that differ at position ${MANY.differsAt}; prompts of one template share their first ${MANY.template} tokens (${distinctPositions(pairs)} of the ${all} token positions are distinct).`,
    call: 'attribution',
    prompts: MANY,
    recipe: RECIPES[session.options.size],
    peers: attributionPeers(),
  });
}
