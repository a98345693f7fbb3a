import { cancelled } from '../../shared/errors';
import type { CallOptions, Progress } from '../../shared/results';

/** How a call is followed and stopped; `isCancelled` is asked from inside the computation, where no message can arrive. */
export interface WorkOptions extends CallOptions {
  isCancelled?: () => boolean;
  /** The time in milliseconds, by which reports and pauses are spaced; absent: the machine's. */
  now?: () => number;
}

const PROGRESS_EVERY_MS = 50;
const YIELD_EVERY_MS = 25;

/**
 * One call under way. The computation tells it how much of the planned work is done and asks, before every piece that
 * takes noticeable time, whether to go on.
 */
export class Work {
  private done = 0;
  private lastProgress = -Infinity;
  private lastYield: number;
  private stage = '';

  /** `total`: planned work in any unit; `advance` counts in the same. */
  constructor(
    private readonly options: WorkOptions = {},
    private readonly total = 1,
  ) {
    this.lastYield = this.now();
  }

  now(): number {
    return this.options.now?.() ?? performance.now();
  }

  /** Throws `cancelled` when the caller wants no more. Cheap: call it before every large operation. */
  poll(): void {
    if (this.options.signal?.aborted || this.options.isCancelled?.()) throw cancelled();
  }

  /** Lets messages and aborts arrive (in-process there is no other way), then polls. Not inside `tf.tidy`. */
  async pause(): Promise<void> {
    if (this.now() - this.lastYield > YIELD_EVERY_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      this.lastYield = this.now();
    }
    this.poll();
  }

  /** Names what is being done now. */
  begin(stage: string): void {
    this.stage = stage;
    this.report(true);
  }

  advance(amount: number): void {
    this.done += amount;
    this.report(false);
  }

  /** Counts planned work that need not be done. */
  skip(amount: number): void {
    this.done += amount;
  }

  /** Hands over what has been measured; every time. */
  deliver(found: Pick<Progress, 'measured' | 'paths'>): void {
    this.report(true, found);
  }

  private report(always: boolean, found?: Pick<Progress, 'measured' | 'paths'>): void {
    const now = this.now();
    if (!this.options.onProgress || (!always && now - this.lastProgress < PROGRESS_EVERY_MS)) return;
    this.lastProgress = now;
    this.options.onProgress({ stage: this.stage, fraction: Math.min(1, this.done / this.total), ...found });
  }
}
