import type { PanelHost, PanelView } from '../src/shared/panelProtocol';
import type { SiteName } from '../src/shared/sites';
import type { Matrix, ViewOptions } from '../src/shared/views';

/** Enough for all that small runs have, little beside what a webview holds anyway. */
const MOST_BYTES = 24 * 1024 * 1024;

type Answer = { state: 'loading' } | { state: 'failed'; message: string } | { state: 'ready'; value: Matrix | PanelView };
export type Asked<T> = { state: 'loading' } | { state: 'failed'; message: string } | { state: 'ready'; value: T };

/**
 * The run's numbers as far as they were asked for. Everything is kept under the options it was asked with and looked up
 * under the present ones, so an answer that comes late is never drawn for something else.
 */
export class Numbers {
  private readonly answers = new Map<string, Answer>();
  private bytes = 0;

  constructor(
    private readonly host: PanelHost,
    readonly runId: string,
    /** Told when something asked for has come, or has failed. */
    private readonly arrived: () => void,
  ) {}

  put(view: PanelView): void {
    this.keep(key('view', view.options), view);
  }

  view(options: ViewOptions): Asked<PanelView> {
    return this.ask(key('view', options), () => this.host.view({ runId: this.runId, options })) as Asked<PanelView>;
  }

  positionMap(options: ViewOptions, group: number, site: SiteName): Asked<Matrix> {
    return this.ask(key('map', options, group, site), () => this.host.positionMap({ runId: this.runId, options, group, site })) as Asked<Matrix>;
  }

  layerDetail(options: ViewOptions, group: number, layer: number): Asked<Matrix> {
    return this.ask(key('layer', options, group, layer), () => this.host.layerDetail({ runId: this.runId, options, group, layer })) as Asked<Matrix>;
  }

  /** What is here already; asks for nothing. */
  knownLayerDetail(options: ViewOptions, group: number, layer: number): Matrix | undefined {
    const answer = this.answers.get(key('layer', options, group, layer));
    return answer?.state === 'ready' ? (answer.value as Matrix) : undefined;
  }

  /** How many answers are on their way. */
  get asking(): number {
    return Array.from(this.answers.values()).filter(({ state }) => state === 'loading').length;
  }

  /** Forgets what failed, so that it is asked for again. */
  retry(): void {
    for (const [name, { state }] of this.answers) if (state === 'failed') this.answers.delete(name);
    this.arrived();
  }

  private ask(name: string, fetch: () => Promise<Matrix | PanelView>): Answer {
    const known = this.answers.get(name);
    if (known) {
      // Moved to the end: the first in the map is the one not used for longest.
      this.answers.delete(name);
      this.answers.set(name, known);
      return known;
    }
    const loading: Answer = { state: 'loading' };
    this.answers.set(name, loading);
    fetch().then(
      (value) => {
        this.keep(name, value);
        this.arrived();
      },
      (error: unknown) => {
        this.answers.set(name, { state: 'failed', message: error instanceof Error ? error.message : String(error) });
        this.arrived();
      },
    );
    return loading;
  }

  private keep(name: string, value: Matrix | PanelView): void {
    this.answers.set(name, { state: 'ready', value });
    this.bytes += bytesOf(value);
    for (const [oldest, answer] of this.answers) {
      if (this.bytes <= MOST_BYTES || oldest === name) break;
      if (answer.state !== 'ready') continue;
      this.bytes -= bytesOf(answer.value);
      this.answers.delete(oldest);
    }
  }
}

function key(what: string, { pair, unit }: ViewOptions, ...rest: (string | number)[]): string {
  return [what, pair, unit, ...rest].join(' ');
}

function bytesOf(value: Matrix | PanelView): number {
  return 'values' in value ? value.values.byteLength : value.heads.all.values.byteLength + value.heads.last.values.byteLength;
}
