import type { PanelHost } from '../../src/shared/panelProtocol';
import type { SelectedCircuit } from '../../src/shared/pathsProtocol';
import { Computed, type Computation } from '../computed';

const REST_MS = 150;
const KEPT = 60;

type Question = Parameters<PanelHost['selectCircuit']>[0];

/** What a selection would choose, asked for where a number that is being written rests. */
export class LiveSelection {
  private readonly answers: Computed<SelectedCircuit>;
  private resting?: ReturnType<typeof setTimeout>;
  private wanted = '';
  private rested = '';

  constructor(
    private readonly host: Pick<PanelHost, 'selectCircuit'>,
    private readonly changed: () => void,
  ) {
    this.answers = new Computed<SelectedCircuit>(KEPT, changed);
  }

  /** `method`: how the edges were attributed, since other scores choose other edges. */
  ask(question: Question, method: unknown, passing: boolean): Computation<SelectedCircuit> {
    const key = JSON.stringify([question, method]);
    if (passing && key !== this.rested) {
      this.restOn(key);
      return { state: 'running' };
    }
    clearTimeout(this.resting);
    this.wanted = key;
    this.rested = key;
    return this.answers.ask(key, (call) => this.host.selectCircuit(question, call));
  }

  retry(): void {
    this.answers.retry();
  }

  close(): void {
    clearTimeout(this.resting);
    this.answers.cancel();
  }

  private restOn(key: string): void {
    if (key === this.wanted) return;
    this.wanted = key;
    clearTimeout(this.resting);
    this.answers.cancel();
    this.resting = setTimeout(() => {
      this.rested = key;
      this.changed();
    }, REST_MS);
  }
}
