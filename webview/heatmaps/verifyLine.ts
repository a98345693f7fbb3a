import { roughly } from '../../src/shared/durations';
import { plural } from '../../src/shared/text';
import type { CellChoice } from '../../src/shared/panelProtocol';
import type { MapOf, ViewOptions } from '../../src/shared/views';
import type { Numbers } from '../numbers';
import type { Verifying } from '../verifying';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';

export interface VerifyState {
  map: MapOf;
  options: ViewOptions;
  /** Cells of the map, and how many of them are measured. */
  cells: number;
  measured: number;
  top: number;
}

/** Exact patching of a map: how much is measured, what more would cost, and, while it runs, how far it is. */
export class VerifyLine {
  readonly element = el('div', { class: 'verify', attributes: { role: 'group' } });
  private readonly slot = new Slot(this.element);
  private readonly bar = el('vscode-progress-bar', { attributes: { max: 100, 'aria-label': 'Exact patching' } });
  private readonly stage = el('span', { class: 'caption' });

  constructor(
    /** What is verified, in words: "layer × head". */
    private readonly name: string,
    private readonly numbers: Numbers,
    private readonly verifying: Verifying,
    private readonly chooseTop: (top: number) => void,
  ) {
    this.element.setAttribute('aria-label', `Exact patching of ${name}`);
  }

  render(state: VerifyState): void {
    const { job } = this.verifying;
    if (job) {
      this.slot.render(`running ${job.title}`, () => [el('span', { text: `Verifying ${job.title}` }), this.bar, this.stage, button('Cancel', () => this.verifying.cancel(), { key: 'cancel verifying' })]);
      this.bar.setAttribute('value', String(Math.round(job.fraction * 100)));
      this.stage.textContent = job.cells === undefined ? job.stage : `${job.done} of ${plural(job.cells, 'cell')}${job.done === 0 ? ` · ${job.stage}` : ''}`;
      return;
    }
    const { map, options, cells } = state;
    const top = Math.min(state.top, cells);
    const choice: CellChoice = { map, options, top };
    const text = this.verifying.failure ?? this.costText(state, top);
    this.slot.render(JSON.stringify([choice, cells, text]), () => [
      button('Verify top', () => void this.verifying.start(choice, `top ${top} of ${this.name}`), { title: `Patch the ${top} strongest cells exactly` }),
      this.topBox(top, cells),
      button('Verify all', () => void this.verifying.start({ map, all: true }, `all of ${this.name}`), { title: `Patch all ${cells} cells exactly` }),
      el('span', { class: this.verifying.failure === undefined ? 'caption' : 'caption failure', text }),
    ]);
  }

  private topBox(top: number, cells: number): HTMLElement {
    const box = el('input', {
      class: 'number',
      attributes: { type: 'number', min: 1, max: cells, value: top, 'aria-label': `How many of the strongest cells of ${this.name}`, 'data-key': 'how many to verify' },
      on: {
        change: () => {
          const chosen = Math.round(Number(box.value));
          if (chosen >= 1) this.chooseTop(Math.min(chosen, cells));
          else box.value = String(top);
        },
      },
    });
    return box;
  }

  /** "3 of 144 measured · top 10: 7 to measure, about 2 s · all: about 40 s" */
  private costText({ map, options, cells, measured }: VerifyState, top: number): string {
    if (measured >= cells) return `all ${cells} measured`;
    const parts = [`${measured} of ${cells} measured`];
    const [ofTop, ofAll] = [this.numbers.cost({ map, options, top }), this.numbers.cost({ map, all: true })];
    if (ofTop.state === 'ready') {
      const { cells: wanted, known, seconds } = ofTop.value;
      parts.push(known >= wanted ? `top ${wanted} measured` : `top ${wanted}: ${known > 0 ? `${wanted - known} more, ` : ''}${roughly(seconds)}`);
    }
    if (ofAll.state === 'ready' && ofAll.value.known < ofAll.value.cells) parts.push(`all: ${roughly(ofAll.value.seconds)}`);
    return parts.join(' · ');
  }
}
