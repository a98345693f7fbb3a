import { compare } from '../comparison';
import { RECIPES } from '../models';
import { PYTORCH_FIRST_TOKEN } from '../peers';
import { FIRST_TOKEN } from '../prompts';
import type { Session } from '../session';

/** W8: nothing before the difference to share, the worst case. */
export async function firstToken(session: Session): Promise<void> {
  await compare(session, {
    workload: 'W8',
    title: 'prompts that differ at their first token',
    about: 'The attribution of W1 for 8 pairs of 15 tokens that differ at position 0.',
    call: 'attribution',
    prompts: FIRST_TOKEN,
    recipe: RECIPES[session.options.size],
    peers: [PYTORCH_FIRST_TOKEN],
  });
}
