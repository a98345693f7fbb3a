import { compare } from '../comparison';
import { RECIPES } from '../models';
import { exactPeers } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';

/** W5 */
export async function exactBlocks(session: Session): Promise<void> {
  await compare(session, {
    workload: 'W5',
    title: 'every block and position exactly',
    about: 'Exact patching of resid_pre, attn_out and mlp_out in every layer at every position, the eight pairs of W1.',
    call: 'blocks',
    prompts: TUTORIAL,
    recipe: RECIPES[session.options.size],
    peers: exactPeers('blocks', 0.1),
  });
}
