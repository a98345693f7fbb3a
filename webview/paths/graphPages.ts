import type { PanelHost } from '../../src/shared/panelProtocol';
import type { GraphPage, GraphRequest } from '../../src/shared/pathsProtocol';
import { Computed, type Computation } from '../computed';

/** A hand on the slider asks for many graphs in passing: only where it rests for so long is one fetched. */
const REST_MS = 120;
const RENEW_MS = 250;
const KEPT = 12;

/** The graphs that were asked for. One that comes late, after another was asked for, is not drawn. */
export class GraphPages {
  private readonly pages: Computed<GraphPage>;
  private resting?: { key: string; timer: ReturnType<typeof setTimeout> };
  private rested?: string;
  /** Grows when more edges are measured: what is known is then asked for again. */
  private version = 0;
  private renewing?: ReturnType<typeof setTimeout>;
  private renewed = 0;

  constructor(
    private readonly host: Pick<PanelHost, 'graph'>,
    private readonly changed: () => void,
  ) {
    this.pages = new Computed<GraphPage>(KEPT, changed);
  }

  /** `passing`: the choice is being moved, and may be another in a moment. */
  ask(request: GraphRequest, passing: boolean): Computation<GraphPage> {
    const key = JSON.stringify([this.version, request]);
    if (passing && key !== this.rested) {
      if (this.resting?.key !== key) this.restOn(key);
      return { state: 'running' };
    }
    this.rest();
    return this.pages.ask(key, (call) => this.host.graph(request, call));
  }

  /** The run has other edges, or more of them are measured. While they are being measured that is said many times a second. */
  outdated(): void {
    if (this.renewing !== undefined) return;
    this.renewing = setTimeout(() => {
      this.renewing = undefined;
      this.renewed = Date.now();
      this.version++;
      this.pages.retry();
    }, Math.max(0, this.renewed + RENEW_MS - Date.now()));
  }

  retry(): void {
    this.pages.retry();
  }

  close(): void {
    this.rest();
    clearTimeout(this.renewing);
    this.pages.cancel();
  }

  private rest(): void {
    clearTimeout(this.resting?.timer);
    this.resting = undefined;
  }

  private restOn(key: string): void {
    this.rest();
    this.pages.cancel();
    this.resting = {
      key,
      timer: setTimeout(() => {
        this.rested = key;
        this.changed();
      }, REST_MS),
    };
  }
}
