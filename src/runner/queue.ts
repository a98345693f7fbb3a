import { cancelled } from '../shared/errors';
import type { CallOptions } from '../shared/results';

/** Runs jobs one at a time, in the order they came. A job that has to wait says so; one whose signal aborts while it waits is dropped at once. */
export class Queue {
  private tail: Promise<unknown> = Promise.resolve();
  /** Jobs that run or wait. */
  private open = 0;

  run<T>(job: () => Promise<T>, { signal, onProgress }: CallOptions = {}): Promise<T> {
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.open > 0) onProgress?.({ stage: 'Waiting for what runs before', fraction: 0 });
    this.open++;
    return new Promise<T>((resolve, reject) => {
      let dropped = false;
      const drop = (): void => {
        dropped = true;
        reject(cancelled());
      };
      signal?.addEventListener('abort', drop, { once: true });
      const start = async (): Promise<void> => {
        signal?.removeEventListener('abort', drop);
        try {
          if (!dropped) resolve(await job());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        } finally {
          this.open--;
        }
      };
      // `start` never rejects, so that one job's failure is not the next one's.
      this.tail = this.tail.then(start);
    });
  }
}
