/** One measurement in a process of its own, so that peak memory and start-up are its own. Takes a task as JSON, prints one JSON line. */
import { measureActivation, type ActivationTask } from './sides/activation';
import { measureFlat, type FlatTask } from './sides/flat';
import { measureNaive, type NaiveTask } from './sides/naive';
import { measureOurs, type OursTask } from './sides/ours';
import { measureParse, type ParseTask } from './sides/parse';
import { measureProfile, type ProfileTask } from './sides/profile';

export type Task = OursTask | NaiveTask | ProfileTask | FlatTask | ActivationTask | ParseTask;

function measure(task: Task): unknown {
  switch (task.kind) {
    case 'ours':
      return measureOurs(task);
    case 'naive':
      return measureNaive(task);
    case 'profile':
      return measureProfile(task);
    case 'flat':
      return measureFlat(task);
    case 'activation':
      return measureActivation(task);
    case 'parse':
      return measureParse(task);
  }
}

async function main(): Promise<void> {
  const measured = await measure(JSON.parse(process.argv[2]!) as Task);
  // A threaded wasm backend does not let the process end by itself.
  process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
