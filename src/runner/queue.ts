import { cancelled } from '../shared/errors';
import type { CallOptions } from '../shared/results';

interface Waiting {
  isShort: boolean;
  start: () => Promise<void>;
}

/**
 * Runs jobs one at a time, in the order they came, short ones before the others that wait. A job that has to wait says so; one
 * whose signal aborts while it waits is dropped at once.
 */
export class Queue {
  private waiting: Waiting[] = [];
  private isBusy = false;

  /** `isShort`: somebody waits for an answer that takes a moment, such as a view of a run while its cells are measured in portions. */
  run<T>(job: () => Promise<T>, { signal, onProgress }: CallOptions = {}, { isShort = false } = {}): Promise<T> {
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.isBusy) onProgress?.({ stage: 'Waiting for what runs before', fraction: 0 });
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        isShort,
        start: async () => {
          signal?.removeEventListener('abort', drop);
          try {
            resolve(await job());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
      };
      const drop = (): void => {
        this.waiting = this.waiting.filter((other) => other !== waiting);
        reject(cancelled());
      };
      signal?.addEventListener('abort', drop, { once: true });
      const place = isShort ? this.waiting.findIndex((other) => !other.isShort) : -1;
      this.waiting.splice(place === -1 ? this.waiting.length : place, 0, waiting);
      void this.runAll();
    });
  }

  private async runAll(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) await next.start();
    this.isBusy = false;
  }
}
