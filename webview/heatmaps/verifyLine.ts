import { roughly } from '../../src/shared/durations';
import { plural } from '../../src/shared/text';
import type { CellChoice } from '../../src/shared/panelProtocol';
import type { MapOf, ViewOptions } from '../../src/shared/views';
import type { Numbers } from '../numbers';
import type { Verifying } from '../verifying';
import { countBox } from '../view/countBox';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';

export interface VerifyState {
  /** The strongest cells, `top` of them; undefined while they are being found out. */
  strongest: CellChoice | undefined;
  /** How many the person has chosen, and of how many. */
  top: number;
  cells: number;
  /** All of them, where that can be asked for, and how many are measured. */
  all?: { choice: CellChoice; measured: number };
}

/** How many of the strongest cells are taken. */
export function topOf(top: number, cells: number): number {
  return Math.min(top, cells);
}

/** Exact patching of a map (or of what stands in none): how much is measured, what more would cost, and, while it runs, how far it is. */
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
    const { strongest, cells, all } = state;
    const top = topOf(state.top, cells);
    const text = this.verifying.failure ?? this.costText(state);
    this.slot.render(JSON.stringify([strongest, cells, text]), () => [
      button('Verify top', () => strongest && void this.verifying.start(strongest, `top ${top} of ${this.name}`), { title: `Patch the ${top} strongest cells exactly` }),
      this.topBox(top, cells),
      all && button('Verify all', () => void this.verifying.start(all.choice, `all of ${this.name}`), { title: `Patch all ${cells} cells exactly` }),
      el('span', { class: this.verifying.failure === undefined ? 'caption' : 'caption failure', text }),
    ].filter((part) => part !== undefined));
  }

  private topBox(top: number, cells: number): HTMLElement {
    return countBox({ value: top, most: cells, attributes: { 'aria-label': `How many of the strongest cells of ${this.name}`, 'data-key': 'how many to verify' }, choose: (count) => this.chooseTop(count) });
  }

  /** "3 of 144 measured · top 10: 7 to measure, about 2 s · all: about 40 s" */
  private costText({ strongest, cells, all }: VerifyState): string {
    if (all && all.measured >= cells) return `all ${cells} measured`;
    const parts = all ? [`${all.measured} of ${cells} measured`] : [];
    const ofTop = strongest && this.numbers.cost(strongest);
    if (ofTop?.state === 'ready') {
      const { cells: wanted, known, seconds } = ofTop.value;
      parts.push(known >= wanted ? `top ${wanted} measured` : `top ${wanted}: ${known > 0 ? `${wanted - known} more, ` : ''}${roughly(seconds)}`);
    }
    const ofAll = all && this.numbers.cost(all.choice);
    if (ofAll?.state === 'ready' && ofAll.value.known < ofAll.value.cells) parts.push(`all: ${roughly(ofAll.value.seconds)}`);
    return parts.join(' · ');
  }
}

/** The state of a map's line. */
export function mapToVerify(map: MapOf, options: ViewOptions, { cells, measured, top }: { cells: number; measured: number; top: number }): VerifyState {
  return { strongest: { map, options, top: topOf(top, cells) }, top, cells, all: { choice: { map, all: true }, measured } };
}
