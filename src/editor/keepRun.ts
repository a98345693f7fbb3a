import type { RunStore } from '../runs/store';
import { toFailure } from '../shared/errors';
import type { Run } from '../shared/run';
import { showError } from './showError';
import type { Log } from './log';
import type { RunIndex } from './runIndex';

/** Saves a run, in the place of an earlier state of it. One that cannot be saved is still shown; the person is told that it will not be there tomorrow. */
export async function keepRun(run: Run, { store, runIndex, log }: { store: RunStore; runIndex: RunIndex; log: Log }): Promise<void> {
  try {
    await store.save(run);
    runIndex.refresh();
  } catch (error) {
    log.error('The run could not be saved', error);
    showError(`The run is shown but could not be saved. ${toFailure(error).message}`, log);
  }
}
