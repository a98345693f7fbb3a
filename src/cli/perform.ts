import type { WorkCommand } from './arguments';
import { attention } from './attention';
import { attribute } from './attribute';
import { circuit } from './circuit';
import { EXIT } from './exitCode';
import { intervene } from './intervene';
import { lens } from './lens';
import { patch } from './patch';
import { paths } from './paths';
import type { Surroundings } from './prepare';
import { verifyPublished } from './verifyPublished';

/** Does what a command that runs something says, and returns the exit code. Throws what its verb throws. */
export async function perform(command: WorkCommand, surroundings: Surroundings): Promise<number> {
  switch (command.verb) {
    case 'attribute':
      await attribute(command, surroundings);
      break;
    case 'patch':
      await patch(command, surroundings);
      break;
    case 'attention':
      await attention(command, surroundings);
      break;
    case 'lens':
      await lens(command, surroundings);
      break;
    case 'intervene':
      await intervene(command, surroundings);
      break;
    case 'paths':
      await paths(command, surroundings);
      break;
    case 'circuit':
      await circuit(command, surroundings);
      break;
    case 'verify-published':
      return (await verifyPublished(command, surroundings)) === 0 ? EXIT.done : EXIT.other;
  }
  return EXIT.done;
}
