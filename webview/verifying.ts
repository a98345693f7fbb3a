import { CircuitError } from '../src/shared/errors';
import type { CellChoice, PanelHost, RunningVerification } from '../src/shared/panelProtocol';
import { plural } from '../src/shared/text';
import type { Numbers } from './numbers';

/** Exact patching of chosen cells, while it runs. One at a time: the engine computes one thing at a time anyway. */
export interface Job {
  title: string;
  /** To be measured; undefined while that is being found out. */
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
  /** Of the call that was made here; absent while what runs was asked for elsewhere. */
  private abort?: AbortController;
  private looking?: ReturnType<typeof setTimeout>;
  private closed = false;

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
          onProgress: ({ stage, fraction, done = job.done }) => {
            if (this.closed) return;
            Object.assign(job, { stage, fraction, done });
            this.changed();
            this.looking ??= setTimeout(() => this.look(), LOOK_EVERY_MS);
          },
        },
      );
      if (this.closed) return;
      this.say(job.cells === 0 ? `All of ${title} had been measured already` : `Measured ${plural(job.cells, 'cell')}: ${title}`);
    } catch (error) {
      if (this.closed) return;
      if (CircuitError.is(error, 'cancelled')) this.say(`Stopped. ${job.done} of ${plural(job.cells ?? 0, 'cell')} measured`);
      else this.fail(error instanceof Error ? error.message : String(error));
    }
    this.job = undefined;
    this.abort = undefined;
    this.look();
  }

  /** Shows what the host says is being verified of this run, where that was not asked for here: by a command, or before a reload. */
  follow(running: RunningVerification | undefined): void {
    if (this.abort) return;
    this.job = running && { title: plural(running.cells, 'cell'), ...running };
    this.changed();
  }

  cancel(): void {
    if (this.abort) this.abort.abort();
    else this.host.cancelVerifying({ runId: this.numbers.runId }).catch((error: unknown) => this.fail(error instanceof Error ? error.message : String(error)));
  }

  /** The run is no longer shown here. What is being verified goes on: the person has asked for it, and it is saved. */
  close(): void {
    this.closed = true;
    clearTimeout(this.looking);
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
