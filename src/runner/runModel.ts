import type { ModelSource } from '../models/modelSource';
import { CircuitError } from '../shared/errors';
import type { ModelInfo } from '../shared/results';
import type { RunManifest } from '../shared/run';
import type { RunSettings } from './settings';

/**
 * Finds the files of the model that a run was made with: where its experiment says, where the settings say, or by its name.
 * Throws `model-missing` when none of them leads to a model of that name.
 */
export async function sourceOfRun({ experiment, model }: RunManifest, settings: Pick<RunSettings, 'model'>, resolveModel: (reference: string) => Promise<ModelSource>): Promise<ModelSource> {
  let cause: unknown;
  for (const reference of new Set([experiment.model, settings.model, model.id])) {
    if (reference === undefined) continue;
    try {
      const source = await resolveModel(reference);
      if (source.id === model.id) return source;
    } catch (error) {
      if (!CircuitError.is(error)) throw error;
      cause = error;
    }
  }
  throw new CircuitError('model-missing', `This run was made with the model "${model.id}", which is not found on this machine any more. Make it the model of the settings, or run the prompts again with another.`, { cause });
}

/** Throws `model-missing` when the model of that name is not the one that a run was made with: its numbers would not fit the run's. */
export function checkSameModel(run: ModelInfo, loaded: ModelInfo): void {
  if (run.checkpointHash === loaded.checkpointHash) return;
  throw new CircuitError('model-missing', `The checkpoint of "${run.id}" is not the one that this run was made with (its SHA-256 was ${run.checkpointHash.slice(0, 12)}…, now it is ${loaded.checkpointHash.slice(0, 12)}…). Run the prompts again, or put the former checkpoint back.`);
}
