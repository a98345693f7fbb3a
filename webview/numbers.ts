import type { Agreement, CellChoice, NeuronsPage, NeuronsRequest, PanelHost, PatchCost, SiteAgreement } from '../src/shared/panelProtocol';
import { cellKey } from '../src/shared/exact';
import type { PatchCell } from '../src/shared/results';
import type { SiteName } from '../src/shared/sites';
import type { MapOf, Matrix, ViewOptions } from '../src/shared/views';

/** Enough for all that small runs have, little beside what a webview holds anyway. */
const MOST_BYTES = 24 * 1024 * 1024;

interface Ready {
  state: 'ready';
  value: unknown;
  bytes: number;
  /** How much had been measured when it was asked for; absent for what measuring does not change. */
  measuring?: number;
  asking?: boolean;
}

type Answer = { state: 'loading' } | { state: 'failed'; message: string } | Ready;
export type Asked<T> = { state: 'loading' } | { state: 'failed'; message: string } | { state: 'ready'; value: T };

/**
 * The run's numbers as far as they were asked for. Everything is kept under what it was asked with and looked up under
 * the present choice, so an answer that comes late is never drawn for something else. While cells are patched exactly,
 * what depends on them is answered as it was last known and asked for again.
 */
export class Numbers {
  private readonly answers = new Map<string, Answer>();
  private bytes = 0;
  private measurings = 0;

  constructor(
    private readonly host: PanelHost,
    readonly runId: string,
    /** Told when something asked for has come, or has failed. */
    private readonly arrived: () => void,
  ) {}

  estimate(map: MapOf, options: ViewOptions): Asked<Matrix> {
    const { runId } = this;
    return this.ask(keyOf('estimate', map, options), () => this.host.map({ runId, map, options, values: 'estimate' }));
  }

  /** NaN where nothing was measured. */
  exact(map: MapOf, options: ViewOptions): Asked<Matrix> {
    const { runId } = this;
    return this.ask(keyOf('exact', map, options), () => this.host.map({ runId, map, options, values: 'exact' }), true);
  }

  /** Exact effects of single parts by `cellKey`, as far as they were measured; none while they are on their way. */
  exactEffects(units: readonly PatchCell[], options: ViewOptions): ReadonlyMap<string, number> {
    const { runId } = this;
    if (units.length === 0) return new Map();
    const asked = this.ask(keyOf('effects', options, units), () => this.host.exactEffects({ runId, options, units: [...units] }), true);
    if (asked.state !== 'ready') return new Map();
    return new Map(units.flatMap((unit, i) => (Number.isNaN(asked.value.effects[i]!) ? [] : [[cellKey(unit), asked.value.effects[i]!]])));
  }

  neurons(request: Omit<NeuronsRequest, 'runId'>): Asked<NeuronsPage> {
    const { runId } = this;
    return this.ask(keyOf('neurons', request), () => this.host.neurons({ runId, ...request }));
  }

  agreement(map: MapOf, options: ViewOptions): Asked<Agreement> {
    const { runId } = this;
    return this.ask(keyOf('agreement', map, options), () => this.host.agreement({ runId, map, options }), true);
  }

  agreementTable(options: ViewOptions): Asked<SiteAgreement[]> {
    const { runId } = this;
    return this.ask(keyOf('table', options), () => this.host.agreementTable({ runId, options }), true);
  }

  cost(cells: CellChoice): Asked<PatchCost> {
    const { runId } = this;
    return this.ask(keyOf('cost', cells), () => this.host.patchCost({ runId, cells }), true);
  }

  layerDetail(options: ViewOptions, site: SiteName, group: number, layer: number): Asked<Matrix> {
    const { runId } = this;
    return this.ask(keyOf('layer', options, site, group, layer), () => this.host.layerDetail({ runId, options, site, group, layer }));
  }

  /** What is here already; asks for nothing. */
  knownLayerDetail(options: ViewOptions, site: SiteName, group: number, layer: number): Matrix | undefined {
    const answer = this.answers.get(keyOf('layer', options, site, group, layer));
    return answer?.state === 'ready' ? (answer.value as Matrix) : undefined;
  }

  /** How many answers are on their way. */
  get asking(): number {
    return Array.from(this.answers.values()).filter(({ state }) => state === 'loading').length;
  }

  /** More has been patched exactly than is known here. */
  measuredMore(): void {
    this.measurings++;
    this.arrived();
  }

  /** Forgets what failed, so that it is asked for again. */
  retry(): void {
    for (const [name, { state }] of this.answers) if (state === 'failed') this.answers.delete(name);
    this.arrived();
  }

  private ask<T>(name: string, fetch: () => Promise<T>, measured = false): Asked<T> {
    const known = this.answers.get(name);
    if (known) {
      // Moved to the end: the first in the map is the one not used for longest.
      this.answers.delete(name);
      this.answers.set(name, known);
      const outdated = known.state === 'ready' && known.measuring !== undefined && known.measuring < this.measurings;
      if (!outdated || known.asking) return known as Asked<T>;
      known.asking = true;
    } else {
      this.answers.set(name, { state: 'loading' });
    }
    const measuring = measured ? this.measurings : undefined;
    fetch().then(
      (value) => {
        this.keep(name, { state: 'ready', value, bytes: bytesOf(value), measuring });
        this.arrived();
      },
      (error: unknown) => {
        this.forget(name);
        this.answers.set(name, { state: 'failed', message: error instanceof Error ? error.message : String(error) });
        this.arrived();
      },
    );
    return (known ?? { state: 'loading' }) as Asked<T>;
  }

  private keep(name: string, answer: Ready): void {
    this.forget(name);
    this.answers.set(name, answer);
    this.bytes += answer.bytes;
    for (const [oldest, { state }] of this.answers) {
      if (this.bytes <= MOST_BYTES || oldest === name) break;
      if (state === 'ready') this.forget(oldest);
    }
  }

  private forget(name: string): void {
    const answer = this.answers.get(name);
    if (answer?.state === 'ready') this.bytes -= answer.bytes;
    this.answers.delete(name);
  }
}

function keyOf(what: string, ...rest: unknown[]): string {
  return JSON.stringify([what, ...rest]);
}

function bytesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if ('values' in value && value.values instanceof Float32Array) return value.values.byteLength;
  const list = 'points' in value ? value.points : value;
  return Array.isArray(list) ? list.length * 64 : 64;
}
