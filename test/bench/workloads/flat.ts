import { RECIPES } from '../models';
import { sizeOf } from '../comparison';
import { TUTORIAL } from '../prompts';
import type { Session } from '../session';
import type { FlatMeasured } from '../sides/flat';
import { markdown, number } from '../statistics';

const RUNS = 50;
const SHOWN = [1, 10, 25, 50];

/** What stays behind after many runs. */
export async function flat(session: Session): Promise<void> {
  const recipe = RECIPES[session.options.size];
  const folder = await session.checkpoint(recipe);
  console.log('\n## Memory over many runs\n');
  console.log(`W1 ${RUNS} times in one process. ${sizeOf(recipe)}.`);
  for (const isFresh of [false, true]) {
    const { backend, tensors, bytes, rssMegabytes } = await session.measure<FlatMeasured>({ kind: 'flat', folder, prompts: TUTORIAL, runs: RUNS, isFresh });
    const changes = tensors.filter((count, run) => run > 0 && (count !== tensors[run - 1] || bytes[run] !== bytes[run - 1])).length;
    console.log(`\n${isFresh ? 'Other prompts each time' : 'The same prompts each time'} (${backend}): tensors or their bytes changed after ${changes} of the ${RUNS - 1} runs that follow the first.\n`);
    console.log(markdown(
      ['after run', 'tensors', 'bytes of tensors', 'memory of the process, MB'],
      SHOWN.map((run) => [String(run), String(tensors[run - 1]!), String(bytes[run - 1]!), number(rssMegabytes[run - 1]!, 0)]),
    ));
  }
}
