import { CircuitError } from '../../shared/errors';
import type { EdgeResult } from '../../shared/paths';
import type { BackendName } from '../../shared/results';
import type { EdgesParams } from '../client/engine';
import type { Gpt2 } from '../model/weights';
import type { WorkOptions } from '../model/work';

/** `limits`: the backend, and the bytes that may be filled beside the loaded weights. */
export async function attributeEdges(_model: Gpt2, _params: EdgesParams, _limits: [BackendName, number], _call?: WorkOptions): Promise<Omit<EdgeResult, 'backend' | 'seconds'>> {
  throw new CircuitError('internal', 'Edge attribution is being built.');
}
