import type { TokenPair } from '../../src/shared/experiment';
import type { PatchCell } from '../../src/shared/results';
import { HEAD_EVERY } from '../../src/shared/sites';
import expected from '../fixtures/expected/gpt2-small-size.json';
import { writeHashModel } from '../unit/engine/support';

const LENGTH = 15;
const DIFFERS_AT = 10;
const PAIRS = 8;

/** Writes GPT-2 small's shape with hash weights as Hugging Face files (F32, half a gigabyte) and returns the folder. */
export function writeCheckpoint(): Promise<string> {
  return writeHashModel(expected.checkpoint);
}

/**
 * W1, the shape of the nnsight tutorial with BOS: eight pairs of 15 tokens that differ at position 10 alone, where one
 * name takes the other's place; each prompt is clean in one pair and corrupted in its neighbour.
 */
export function tutorialShape(): TokenPair[] {
  const token = (prompt: number, position: number): number => (1000 + 7919 * prompt + 104729 * position) % 50000;
  return Array.from({ length: PAIRS }, (_, index) => {
    const prompt = index >> 1;
    const names = [token(prompt, 2), token(prompt, 4)];
    const [own, other] = index % 2 === 0 ? names : names.reverse();
    const at = (name: number): number[] =>
      Array.from({ length: LENGTH }, (__, position) => (position === DIFFERS_AT ? name : token(prompt, position)));
    return { clean: at(own!), corrupted: at(other!), correct: [other!], incorrect: [own!] };
  });
}

/** W2: TransformerLens's `get_act_patch_attn_head_all_pos_every` on the same prompts: each head of each layer at all positions, z, q, k, v and pattern. */
export function everyHead({ layers, heads }: { layers: number; heads: number }): PatchCell[] {
  return HEAD_EVERY.flatMap((site) => Array.from({ length: layers * heads }, (_, i) => ({ site, layer: Math.floor(i / heads), head: i % heads })));
}
