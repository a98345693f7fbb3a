import { compare } from '../comparison';
import { RECIPES } from '../models';
import { attributionPeers } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';
import type { Measured } from '../sides/ours';
import { between, differsBy, markdown, number, ratio, spread } from '../statistics';

const ABOUT = 'Attribution of z, attn_out, mlp_out and resid_pre for 8 pairs of 15 tokens that differ at position 10; the peers compute the scores of z alone.';

/** W1: as many threads as the engine chooses, one thread, and our own naive engine. */
export async function tutorial(session: Session): Promise<void> {
  const recipe = RECIPES[session.options.size];
  const shared = { about: ABOUT, call: 'attribution', prompts: TUTORIAL, recipe } as const;
  const peers = attributionPeers(0.5);
  // The best of the peers is what memory is measured by, whichever it is.
  await compare(session, { ...shared, workload: 'W1', title: "the tutorial's eight prompts", peers, memory: 1 });
  const own = await compare(session, { ...shared, workload: 'W1, one thread', title: 'the same', peers: attributionPeers(), threads: 1, cancel: false });
  const naive = await session.measure<Measured>({ kind: 'naive', recipe, prompts: TUTORIAL, repeats: Math.min(2, session.options.repeats) });
  console.log('\nBeside a naive engine of our own (whole sequences, automatic gradients, the whole unembedding), one thread:\n');
  console.log(markdown(['', 'run, s', 'ours / this', 'peak memory, MB', 'differs by'], [
    ['naive tfjs', between(spread(naive.seconds)), `× ${between(ratio(own.seconds, naive.seconds), 3)}`, number(naive.peakMegabytes, 0), differsBy(naive.values, own.values).toExponential(0)],
  ]));
}
