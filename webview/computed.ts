import { CircuitError } from '../src/shared/errors';
import type { CallOptions, Progress } from '../src/shared/results';

/** What a view knows of something that the engine computes for it. */
export type Computation<T> = { state: 'running'; progress?: Progress } | { state: 'failed'; message: string } | { state: 'ready'; value: T };

/**
 * Answers that cost the engine seconds. Each is computed once and kept under what it was asked with, so an answer that comes late
 * is never drawn for something else; one is computed at a time, and asking for another cancels it.
 */
export class Computed<T> {
  private readonly known = new Map<string, T>();
  private readonly failures = new Map<string, string>();
  private running?: { key: string; abort: AbortController; progress?: Progress };

  constructor(
    /** How many answers are kept. */
    private readonly most: number,
    /** Told of progress, and when something asked for has come or has failed. */
    private readonly changed: () => void,
  ) {}

  ask(key: string, compute: (call: CallOptions) => Promise<T>): Computation<T> {
    const value = this.known.get(key);
    if (value !== undefined) {
      if (this.running?.key !== key) this.cancel();
      // Moved to the end: the first in the map is the one not used for longest.
      this.known.delete(key);
      this.known.set(key, value);
      return { state: 'ready', value };
    }
    if (this.running?.key === key) return { state: 'running', progress: this.running.progress };
    this.cancel();
    const message = this.failures.get(key);
    if (message !== undefined) return { state: 'failed', message };
    this.start(key, compute);
    return { state: 'running' };
  }


  /** Stops what is under way, because nobody waits for it any longer. */
  cancel(): void {
    this.running?.abort.abort();
    this.running = undefined;
  }

  /** Stops what is under way at the person's wish: it is not started again until `retry`. */
  stop(): void {
    if (!this.running) return;
    this.failures.set(this.running.key, 'Cancelled.');
    this.cancel();
    this.changed();
  }

  /** Forgets what failed, so that it is asked for again. */
  retry(): void {
    this.failures.clear();
    this.changed();
  }

  private start(key: string, compute: (call: CallOptions) => Promise<T>): void {
    const job: { key: string; abort: AbortController; progress?: Progress } = { key, abort: new AbortController() };
    this.running = job;
    const wanted = (): boolean => this.running === job;
    const onProgress = (progress: Progress): void => {
      job.progress = progress;
      if (wanted()) this.changed();
    };
    compute({ signal: job.abort.signal, onProgress }).then(
      (value) => {
        this.known.set(key, value);
        for (const oldest of this.known.keys()) {
          if (this.known.size <= this.most) break;
          this.known.delete(oldest);
        }
        if (!wanted()) return;
        this.running = undefined;
        this.changed();
      },
      (error: unknown) => {
        if (!wanted()) return;
        this.running = undefined;
        this.failures.set(key, CircuitError.is(error, 'cancelled') ? 'Cancelled.' : error instanceof Error ? error.message : String(error));
        this.changed();
      },
    );
  }
}
