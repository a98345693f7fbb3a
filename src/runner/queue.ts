import { cancelled } from '../shared/errors';

/** Runs jobs one at a time, in the order they came. A job whose signal aborts while it waits is dropped at once. */
export class Queue {
  private tail: Promise<unknown> = Promise.resolve();

  run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(cancelled());
    return new Promise<T>((resolve, reject) => {
      let dropped = false;
      const drop = (): void => {
        dropped = true;
        reject(cancelled());
      };
      signal?.addEventListener('abort', drop, { once: true });
      const start = async (): Promise<void> => {
        if (dropped) return;
        signal?.removeEventListener('abort', drop);
        try {
          resolve(await job());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // `start` never rejects, so that one job's failure is not the next one's.
      this.tail = this.tail.then(start);
    });
  }
}
