import { compare } from '../comparison';
import { RECIPES } from '../models';
import { exactPeers } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';

/** W4 */
export async function exactHeads(session: Session): Promise<void> {
  await compare(session, {
    workload: 'W4',
    title: 'every head exactly',
    about: "Exact patching of every head's z at all positions, the eight pairs of W1.",
    call: 'heads',
    prompts: TUTORIAL,
    recipe: RECIPES[session.options.size],
    peers: exactPeers('heads', 0.4),
  });
}
