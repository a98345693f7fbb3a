import { CircuitError } from '../../shared/errors';
import type { CircuitMetrics } from '../../shared/paths';
import type { BackendName } from '../../shared/results';
import type { CircuitsParams } from '../client/engine';
import type { Gpt2 } from '../model/weights';
import type { WorkOptions } from '../model/work';

/** `limits`: the backend, and the bytes that may be filled beside the loaded weights. */
export async function runCircuits(_model: Gpt2, _params: CircuitsParams, _limits: [BackendName, number], _call?: WorkOptions): Promise<Omit<CircuitMetrics, 'backend' | 'seconds'>> {
  throw new CircuitError('internal', 'Circuits are being built.');
}
