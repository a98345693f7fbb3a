import { compare } from '../comparison';
import { RECIPES } from '../models';
import { attributionPeers } from '../peers';
import { ONE_PAIR } from '../prompts';
import type { Session } from '../session';

/** W2 */
export async function onePair(session: Session): Promise<void> {
  await compare(session, {
    workload: 'W2',
    title: 'one pair',
    about: 'The same attribution of one pair of 15 tokens that differs at position 10.',
    call: 'attribution',
    prompts: ONE_PAIR,
    recipe: RECIPES[session.options.size],
    peers: attributionPeers(),
  });
}
