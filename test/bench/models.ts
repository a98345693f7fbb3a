import expected from '../fixtures/expected/gpt2-small-size.json';
import type { HashCheckpointConfig } from '../fixtures/hashCheckpoint';
import { writeHashModel } from '../unit/engine/support';

export type Size = 'tiny' | 'small' | 'medium';
export const SIZES: readonly Size[] = ['tiny', 'small', 'medium'];

const SMALL: HashCheckpointConfig = expected.checkpoint;

/** Random weights of GPT-2's shapes. `tiny` is for trying the bench itself out. */
export const RECIPES: Readonly<Record<Size, HashCheckpointConfig>> = {
  tiny: { ...SMALL, name: 'tiny', layers: 2, heads: 4, dModel: 64, dMlp: 256 },
  small: SMALL,
  medium: { ...SMALL, name: 'medium', layers: 24, heads: 16, dModel: 1024, dMlp: 4096 },
};

/** A narrow model of a given depth. */
export function deep(layers: number): HashCheckpointConfig {
  return { ...SMALL, name: `depth ${layers}`, layers, heads: 4, dModel: 256, dMlp: 1024 };
}

/** Writes it as Hugging Face files in F32 and returns the folder. */
export function writeCheckpoint(recipe: HashCheckpointConfig): Promise<string> {
  return writeHashModel(recipe);
}
