import type { AttributeCommand, RunCommand } from './arguments';
import { attention } from './attention';
import { attribute } from './attribute';
import { intervene } from './intervene';
import { lens } from './lens';
import { patch } from './patch';
import type { Surroundings } from './prepare';

/** Does what a command that runs something says. Throws what its verb throws. */
export function perform(command: AttributeCommand | RunCommand, surroundings: Surroundings): Promise<void> {
  switch (command.verb) {
    case 'attribute':
      return attribute(command, surroundings);
    case 'patch':
      return patch(command, surroundings);
    case 'attention':
      return attention(command, surroundings);
    case 'lens':
      return lens(command, surroundings);
    case 'intervene':
      return intervene(command, surroundings);
  }
}
