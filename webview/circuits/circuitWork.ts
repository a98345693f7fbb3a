import type { CallOptions } from '../../src/shared/results';
import { plural } from '../../src/shared/text';

/** Progress of work on circuits counts circuits that were run, not edges. */
export function countingCircuits({ signal, onProgress }: CallOptions): CallOptions {
  return { signal, onProgress: ({ stage, fraction, done }) => onProgress?.({ stage: done ? `${plural(done, 'circuit')} run · ${stage}` : stage, fraction }) };
}
