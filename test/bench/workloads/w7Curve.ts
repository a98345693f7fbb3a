import { compare } from '../comparison';
import { SHARES } from '../calls';
import { RECIPES } from '../models';
import { CIRCUIT_PEERS } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';

/** W7 */
export async function curve(session: Session): Promise<void> {
  await compare(session, {
    workload: 'W7',
    title: 'a circuit at ten budgets',
    about: `The metric of circuits of the best ${SHARES.map((share) => `${share * 100} %`).join(', ')} of all edges by EAP, everything else from the corrupted run, the eight pairs of W1.`,
    call: 'circuits',
    prompts: TUTORIAL,
    recipe: RECIPES[session.options.size],
    peers: CIRCUIT_PEERS,
  });
}
