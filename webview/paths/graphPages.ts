import type { PanelHost } from '../../src/shared/panelProtocol';
import type { GraphPage, GraphRequest } from '../../src/shared/pathsProtocol';
import { Computed, type Computation } from '../computed';

/** A hand on the slider asks for many graphs in passing: only where it rests for so long is one fetched. */
const REST_MS = 120;
const KEPT = 12;

/** The graphs that were asked for. One that comes late, after another was asked for, is not drawn. */
export class GraphPages {
  private readonly pages: Computed<GraphPage>;
  private resting?: { key: string; timer: ReturnType<typeof setTimeout> };
  private rested?: string;
  /** Grows when more edges are measured: what is known is then asked for again. */
  private version = 0;

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
    this.close();
    return this.pages.ask(key, (call) => this.host.graph(request, call));
  }

  /** The run has other edges, or more of them are measured. */
  outdated(): void {
    this.version++;
    this.pages.retry();
  }

  retry(): void {
    this.pages.retry();
  }

  close(): void {
    clearTimeout(this.resting?.timer);
    this.resting = undefined;
  }

  private restOn(key: string): void {
    this.close();
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
