import { existsSync } from 'node:fs';
import path from 'node:path';
import { compare } from '../comparison';
import { RECIPES } from '../models';
import { attributionPeers, exactPeers } from '../peers';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';

/** W1 and W4 on tfjs-node, where there is one: $CIRCUIT_EXPLORER_NATIVE, or what `npm run test:native -- --prepare` builds. */
export async function native(session: Session): Promise<void> {
  const nativeFolder = path.resolve(process.env['CIRCUIT_EXPLORER_NATIVE'] || path.join('out', 'native'));
  if (!existsSync(path.join(nativeFolder, 'node_modules', '@tensorflow', 'tfjs-node', 'package.json'))) {
    console.log('\n## W1 and W4 on the native backend\n\nNot measured: there is no tfjs-node in out/native, nor does CIRCUIT_EXPLORER_NATIVE name a folder with one.');
    return;
  }
  const shared = { prompts: TUTORIAL, recipe: RECIPES[session.options.size], nativeFolder } as const;
  await compare(session, { ...shared, workload: 'W1, native backend', title: 'the same', about: 'As W1.', call: 'attribution', peers: attributionPeers(0.25) });
  await compare(session, { ...shared, workload: 'W4, native backend', title: 'the same', about: 'As W4.', call: 'heads', peers: exactPeers('heads', 0.15) });
}
