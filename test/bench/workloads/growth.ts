import type { HashCheckpointConfig } from '../../fixtures/hashCheckpoint';
import { deep, RECIPES } from '../models';
import { sizeOf } from '../comparison';
import { distinctPositions, promptPairs, TUTORIAL, type PromptSet } from '../prompts';
import type { Session } from '../session';
import type { OursMeasured } from '../sides/ours';
import { between, markdown, number, spread } from '../statistics';

const PAIRS = [1, 4, 16, 64, 256];
const LENGTHS = [16, 32, 64, 128, 256, 512];
const DEPTHS = [3, 6, 12, 24];

/** How W1's time grows: ours alone. */
export async function growth(session: Session): Promise<void> {
  const recipe = RECIPES[session.options.size];
  console.log('\n## Growth\n');
  console.log(`Attribution as in W1. Arithmetic: multiplications of whole forward and backward passes over all positions of clean and corrupted prompts, as many times those of the first line. ${sizeOf(recipe)}, unless the line says otherwise.`);
  await table(session, 'pairs', PAIRS.map((pairs) => ({ name: String(pairs), recipe, prompts: { ...TUTORIAL, pairs } })));
  await table(session, 'tokens', LENGTHS.map((length) => ({ name: String(length), recipe, prompts: { ...TUTORIAL, length, differsAt: Math.round((length * TUTORIAL.differsAt) / TUTORIAL.length) } })));
  const models = DEPTHS.map(deep);
  await table(session, 'layers', models.map((one) => ({ name: `${one.layers} of ${one.dModel}`, recipe: one, prompts: TUTORIAL })));
  for (const one of models) await session.drop(one);
}

interface Point {
  name: string;
  recipe: HashCheckpointConfig;
  prompts: PromptSet;
}

async function table(session: Session, title: string, points: Point[]): Promise<void> {
  const { bundle, repeats, limitSeconds } = session.options;
  const rows: string[][] = [];
  let base: { seconds: number; work: number } | undefined;
  for (const { name, recipe, prompts } of points) {
    const folder = await session.checkpoint(recipe);
    try {
      const { seconds, peakMegabytes } = await session.measure<OursMeasured>({
        kind: 'ours', bundle, folder, call: 'attribution', prompts, backend: 'auto', threads: 0, repeats: Math.min(3, repeats), limitSeconds: limitSeconds / 2, cancel: false,
      });
      const own = { seconds: spread(seconds).median, work: multiplications(recipe, prompts) };
      base ??= own;
      const [time, work] = [own.seconds / base.seconds, own.work / base.work];
      rows.push([name, String(distinctPositions(promptPairs(prompts))), between(spread(seconds), 3), number(time, 1), number(work, 1), number(time / work), number(peakMegabytes, 0)]);
    } catch (error) {
      rows.push([name, '', error instanceof Error ? error.message.split('\n').find((line) => line.includes('Error')) ?? error.message : String(error), '', '', '', '']);
    }
  }
  console.log(`\n${markdown([title, 'distinct positions', 'run, s', 'times the first', 'arithmetic', 'time / arithmetic', 'peak memory, MB'], rows)}`);
}

/** Forward passes of both prompts and a backward pass of one: per position 12 d² weights and the attention to the positions before it; logits at the last alone. */
function multiplications({ layers, dModel, vocab }: HashCheckpointConfig, { pairs, length }: PromptSet): number {
  const perPosition = 12 * dModel * dModel + dModel * (length + 1);
  return pairs * (3 * layers * length * perPosition + 3 * vocab * dModel);
}
