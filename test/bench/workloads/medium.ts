import { compare } from '../comparison';
import { RECIPES } from '../models';
import { attributionPeers } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';

/** W1 at GPT-2 medium's size. */
export async function medium(session: Session): Promise<void> {
  const recipe = RECIPES[session.options.size === 'tiny' ? 'tiny' : 'medium'];
  await compare(session, {
    workload: 'W1, medium',
    title: "the tutorial's eight prompts at GPT-2 medium's size",
    about: 'The attribution of W1.',
    call: 'attribution',
    prompts: TUTORIAL,
    recipe,
    peers: attributionPeers(0.5),
    memory: 1,
  });
  if (session.options.size === 'small') await session.drop(recipe);
}
