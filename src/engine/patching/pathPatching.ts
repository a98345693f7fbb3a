import { CircuitError } from '../../shared/errors';
import type { PathPatchResult } from '../../shared/paths';
import type { BackendName } from '../../shared/results';
import type { PathsParams } from '../client/engine';
import type { Gpt2 } from '../model/weights';
import type { WorkOptions } from '../model/work';

/** `limits`: the backend, and the bytes that may be filled beside the loaded weights. */
export async function patchPaths(_model: Gpt2, _params: PathsParams, _limits: [BackendName, number], _call?: WorkOptions): Promise<Omit<PathPatchResult, 'backend' | 'seconds'>> {
  throw new CircuitError('internal', 'Path patching is being built.');
}
