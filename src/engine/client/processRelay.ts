import { Worker } from 'node:worker_threads';
import { toFailure, type Failure } from '../../shared/errors';
import { isRpcMessage } from '../../shared/rpc';
import { CancelFlags } from './cancelFlags';
import type { EngineThreadData } from './engineThread';

/** What the process says of itself, beside the engine's answers. */
export interface Death {
  died: Failure;
}

export function isDeath(message: unknown): message is Death {
  return typeof message === 'object' && message !== null && 'died' in message;
}

/** How the process ends when its engine's thread has died. */
export const EXIT_THREAD_DIED = 70;

/**
 * The process's side. The engine computes in a thread of the process, so that this one reads messages meanwhile: what is
 * cancelled is flagged in memory that both see. A thread that has died is not started again, since native code is not made to
 * be loaded twice: the process ends with it. Ends too when its parent is gone.
 */
export function relayEngine(script: string, nativeFolder: string): void {
  const flags = new CancelFlags();
  const workerData: EngineThreadData = { cancelFlags: flags.buffer, nativeFolder };
  const worker = new Worker(script, { workerData, name: 'circuit-explorer engine' });
  process.on('message', (message: unknown) => {
    if (isRpcMessage(message) && message.rpc === 'cancel') flags.raise(message.id);
    worker.postMessage(message);
  });
  worker.on('message', (message: object) => process.send!(message));
  let isTelling = false;
  worker.on('error', (error) => {
    isTelling = true;
    process.send!({ died: toFailure(error) } satisfies Death, () => process.exit(EXIT_THREAD_DIED));
  });
  worker.on('exit', () => {
    if (!isTelling) process.exit(EXIT_THREAD_DIED);
  });
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}
