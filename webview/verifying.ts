import { CircuitError } from '../src/shared/errors';
import type { CellChoice, PanelHost } from '../src/shared/panelProtocol';
import { plural } from '../src/shared/text';
import type { Numbers } from './numbers';

/** Exact patching of chosen cells, while it runs. One at a time: the engine computes one thing at a time anyway. */
export interface Job {
  title: string;
  /** Cells that were not measured before; undefined while that is being found out. */
  cells?: number;
  done: number;
  fraction: number;
  stage: string;
}

/** What is measured is shown as it comes, but not more often than this. */
const LOOK_EVERY_MS = 250;

export class Verifying {
  job?: Job;
  failure?: string;
  private abort?: AbortController;
  private looking?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly host: PanelHost,
    private readonly numbers: Numbers,
    private readonly changed: () => void,
    private readonly say: (text: string) => void,
  ) {}

  /** `title`: what is verified, in words ("top 10 of layer × head"). */
  async start(cells: CellChoice, title: string): Promise<void> {
    if (this.job) return;
    const { runId } = this.numbers;
    const abort = (this.abort = new AbortController());
    const job: Job = (this.job = { title, done: 0, fraction: 0, stage: 'Starting' });
    this.failure = undefined;
    this.changed();
    this.say(`Verifying ${title}`);
    try {
      const cost = await this.host.patchCost({ runId, cells }, { signal: abort.signal });
      job.cells = cost.cells - cost.known;
      await this.host.verify(
        { runId, cells },
        {
          signal: abort.signal,
          onProgress: ({ stage, fraction }) => {
            Object.assign(job, { stage, fraction, done: Math.floor(fraction * (job.cells ?? 0) + 1e-6) });
            this.changed();
            this.looking ??= setTimeout(() => this.look(), LOOK_EVERY_MS);
          },
        },
      );
      this.say(job.cells === 0 ? `All of ${title} had been measured already` : `Measured ${plural(job.cells, 'cell')}: ${title}`);
    } catch (error) {
      if (CircuitError.is(error, 'cancelled')) this.say(`Stopped. ${plural(job.done, 'cell')} of ${job.cells ?? 0} measured`);
      else this.fail(error instanceof Error ? error.message : String(error));
    }
    this.job = undefined;
    this.abort = undefined;
    this.look();
  }

  cancel(): void {
    this.abort?.abort();
  }

  close(): void {
    clearTimeout(this.looking);
    this.cancel();
  }

  private look(): void {
    clearTimeout(this.looking);
    this.looking = undefined;
    this.numbers.measuredMore();
    this.changed();
  }

  private fail(message: string): void {
    this.failure = message;
    this.say(`Not verified: ${message}`);
  }
}
