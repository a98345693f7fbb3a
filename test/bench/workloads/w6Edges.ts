import { compare } from '../comparison';
import { EDGE_STEPS } from '../calls';
import { RECIPES } from '../models';
import { EAP_IG_PEERS, EAP_PEERS } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';

/** W6 */
export async function edges(session: Session): Promise<void> {
  const shared = { prompts: TUTORIAL, recipe: RECIPES[session.options.size] };
  await compare(session, { ...shared, workload: 'W6, EAP', title: 'every edge by attribution', about: 'EAP at the clean run, the eight pairs of W1.', call: 'eap', peers: EAP_PEERS });
  await compare(session, {
    ...shared,
    workload: 'W6, EAP-IG',
    title: 'every edge by integrated gradients',
    about: `EAP-IG (inputs) with ${EDGE_STEPS} steps from the corrupted input on, the eight pairs of W1.`,
    call: 'eapIg',
    peers: EAP_IG_PEERS,
  });
}
