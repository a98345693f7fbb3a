import { CircuitError } from '../../src/shared/errors';
import type { CallOptions } from '../../src/shared/results';
import { plural } from '../../src/shared/text';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';

interface Job {
  title: string;
  abort: AbortController;
  stage: string;
  fraction: number;
  /** Edges measured so far. */
  done?: number;
}

/** Work of the engine that a person has asked for here: how far it is, a button that stops it, and what went wrong. One at a time. */
export class Work {
  readonly element = el('div', { class: 'work', attributes: { role: 'group', 'aria-label': 'Work in progress' } });
  private readonly slot = new Slot(this.element);
  private readonly bar = el('vscode-progress-bar', { attributes: { max: 100, 'aria-label': 'Progress' } });
  private readonly stage = el('span', { class: 'caption' });
  private job?: Job;
  private failure?: string;
  private closed = false;

  constructor(
    private readonly changed: () => void,
    private readonly say: (text: string) => void,
  ) {}

  get running(): boolean {
    return this.job !== undefined;
  }

  /** `finished`: what is said at the end. */
  async start(title: string, finished: string, call: (options: CallOptions) => Promise<void>): Promise<void> {
    if (this.job) return;
    const job: Job = (this.job = { title, abort: new AbortController(), stage: 'Starting', fraction: 0 });
    this.failure = undefined;
    this.say(title);
    this.changed();
    try {
      await call({
        signal: job.abort.signal,
        onProgress: ({ stage, fraction, done = job.done }) => {
          if (this.closed) return;
          Object.assign(job, { stage, fraction, done });
          this.render();

        },
      });
      if (!this.closed) this.say(finished);
    } catch (error) {
      if (this.closed) return;
      if (CircuitError.is(error, 'cancelled')) this.say(`Stopped: ${title}`);
      else {
        this.failure = `${title}: ${error instanceof Error ? error.message : String(error)}`;
        this.say(this.failure);
      }
    }
    this.job = undefined;
    if (!this.closed) this.changed();
  }

  render(): void {
    const { job, failure } = this;
    if (!job) return this.slot.render(`rest ${failure}`, () => (failure === undefined ? [] : [el('span', { class: 'failure', text: failure, attributes: { role: 'status' } })]));
    this.slot.render(`running ${job.title}`, () => [el('span', { text: job.title }), this.bar, this.stage, button('Cancel', () => job.abort.abort(), { key: 'cancel work' })]);
    this.bar.setAttribute('value', String(Math.round(job.fraction * 100)));
    this.stage.textContent = `${job.done ? `${plural(job.done, 'edge')} measured · ` : ''}${job.stage} · ${Math.round(job.fraction * 100)} %`;
  }

  /** The run is no longer shown here. What was asked for goes on, and is kept with the run. */
  close(): void {
    this.closed = true;
  }
}
