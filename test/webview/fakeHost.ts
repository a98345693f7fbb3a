import { cancelled, CircuitError } from '../../src/shared/errors';
import { exactScores, patchSeconds } from '../../src/shared/exact';
import { summaryOf, type CellChoice, type PanelContent, type PanelHost, type PanelState, type PanelWebview, type RunningVerification } from '../../src/shared/panelProtocol';
import { connectRpc, serveRpc, type Port, type ServedCall } from '../../src/shared/rpc';
import type { Run } from '../../src/shared/run';
import { layerDetail, mapScores } from '../../src/shared/views';
import { fakePaths, keptSample } from './fakePaths';
import { sampleRun, type SampleName } from './sampleRuns';
import { agreement, agreementTable, attention, cellsOf, exactEffects, lens, neurons, predictions, toMeasure } from './sampleViews';
import { THEMES, type ThemeName } from './themes';

/**
 * Stands in for VS Code and the extension in the page under test: `acquireVsCodeApi`, theme variables and classes, and a host
 * that answers from a sample run. Injected before the page's own script; messages are copied as VS Code copies them.
 */
export interface FakeHost {
  requests: { method: string; params: unknown }[];
  violations: string[];
  /** State as the webview last stored it. */
  state(): PanelState | undefined;
  setTheme(name: ThemeName): void;
  show(content: PanelContent): Promise<void>;
  showSample(name: SampleName): Promise<void>;
  /** Patches cells exactly without being asked by the panel, as the editor's own command does. */
  measureElsewhere(cells: CellChoice): Promise<void>;
  /** Tells the panel how far a verification is that it did not ask for; undefined: none runs. */
  verifyElsewhere(verifying: RunningVerification | undefined): Promise<void>;
  /** Calls of `verify` that the panel has aborted. */
  aborted: number;
  /** From now on, answers to this method wait for `release`. */
  hold(method: string): void;
  release(): void;
  /** The next calls of this method fail with this message, until `undefined` is set. */
  failing: Record<string, string | undefined>;
  /** So many more steps of made-up work are taken, then it waits; until this is first called it goes on by itself. */
  allow(steps: number): void;
}

declare global {
  interface Window {
    fakeHost: FakeHost;
    acquireVsCodeApi: () => unknown;
  }
}

const STATE = 'webview-state';
const parameters = new URLSearchParams(location.search);
const toWebview = new Set<(message: unknown) => void>();
const held: { method: string; release: () => void }[] = [];
const holding = new Set<string>(parameters.getAll('hold'));
let current: Run | undefined;

/** JSON with typed arrays beside it: `undefined` goes, NaN becomes null, arrays of floats survive. */
function copied(message: unknown): unknown {
  const arrays: Float32Array[] = [];
  const text = JSON.stringify(message, (_key, value: unknown) => (value instanceof Float32Array ? { $array: arrays.push(value.slice()) - 1 } : value));
  return JSON.parse(text, (_key, value: unknown) => {
    const index = typeof value === 'object' && value !== null ? (value as { $array?: number }).$array : undefined;
    return index === undefined ? value : arrays[index];
  }) as unknown;
}

const port: Port = {
  post: (message) => {
    const copy = copied(message);
    setTimeout(() => window.dispatchEvent(new MessageEvent('message', { data: copy })), 4);
  },
  onMessage(listener) {
    toWebview.add(listener);
    return () => toWebview.delete(listener);
  },
};

async function answer<T>(method: string, params: unknown, compute: () => T | Promise<T>): Promise<T> {
  fake.requests.push({ method, params });
  if (holding.has(method)) await new Promise<void>((release) => held.push({ method, release }));
  const failure = fake.failing[method];
  if (failure !== undefined) throw new CircuitError('internal', failure);
  return compute();
}

function contentOf(run: Run): PanelContent {
  current = run;
  return { kind: 'run', run: summaryOf(run) };
}

const STEP_MS = 10;
let allowed = Infinity;
const waiting = new Set<() => void>();

/** A step of made-up work; throws when the call has been aborted. */
async function step({ signal }: ServedCall): Promise<void> {
  if (allowed > 0) {
    allowed--;
    await new Promise((resume) => setTimeout(resume, STEP_MS));
  } else if (!signal.aborted) {
    await new Promise<void>((resume) => {
      waiting.add(resume);
      signal.addEventListener('abort', () => {
        waiting.delete(resume);
        resume();
      });
    });
  }
  if (!signal.aborted) return;
  fake.aborted++;
  throw cancelled();
}

const CELLS_PER_BATCH = 3;

async function verify(cells: CellChoice, call: ServedCall): Promise<void> {
  const { onProgress } = call;
  const { left: all, measured } = toMeasure(current!, cells);
  onProgress({ stage: 'Loading the model', fraction: 0.2, done: 0 });
  for (let done = 0; done < all.length; ) {
    const end = Math.min(all.length, done + CELLS_PER_BATCH);
    await step(call);
    current = measured(current!, done, end);
    done = end;
    onProgress({ stage: 'Patching exactly', fraction: 0.2 + (0.8 * done) / all.length, done });
  }
}

serveRpc<PanelHost>(port, {
  ready: (params) =>
    answer('ready', params, () => {
      const name = parameters.get('run');
      if (name === null) return { kind: 'empty', message: 'Open a prompt file and run “Attribute prompt pair”.' };
      return contentOf(keptSample(name as SampleName));
    }),
  map: (params) =>
    answer(params.values === 'exact' ? 'exactMap' : 'map', params, () => {
      const { manifest, arrays } = current!;
      return params.values === 'exact' ? exactScores(current!, params.map, params.options) : mapScores(manifest, arrays, params.map, params.options)!;
    }),
  layerDetail: (params) => answer('layerDetail', params, () => layerDetail(current!.manifest, current!.arrays, params.site, params.group, params.layer, params.options)!),
  neurons: (params) => answer('neurons', params, () => neurons(current!, params)),
  patchCost: (params) =>
    answer('patchCost', params, () => {
      const { cells } = params;
      const count = 'units' in cells ? cells.units.length : cellsOf(current!, cells).length;
      const { left } = toMeasure(current!, cells);
      return { cells: count, known: count - left.length, seconds: patchSeconds(current!.manifest, left) };
    }),
  exactEffects: (params) => answer('exactEffects', params, () => ({ effects: exactEffects(current!, params.units, params.options) })),
  verify: (params, call) => answer('verify', params, () => verify(params.cells, call)),
  cancelVerifying: (params) => answer('cancelVerifying', params, () => undefined),
  agreement: (params) => answer('agreement', params, () => agreement(current!, params.map, params.options)),
  agreementTable: (params) => answer('agreementTable', params, () => agreementTable(current!, params.options, summaryOf(current!).sites.filter((site) => site !== 'mlp_post'))),
  attention: (params) => answer('attention', params, () => attention(current!, params.pair, params.layer, params.heads)),
  lens: (params) => answer('lens', params, () => lens(current!)),
  predictions: (params) => answer('predictions', params, () => predictions(current!, params.pair)),
  rerunWith: (params) =>
    answer('rerunWith', params, () => {
      const { metric, direction, other, variant } = params.change;
      const change = { ...(metric && { metric }), ...(direction && { direction }), ...(other && { other }), ...(variant && { variant }) };
      void webview.show({ content: contentOf(sampleRun((parameters.get('run') ?? 'ioi') as SampleName, change)) });
    }),
  exportMap: (params) => answer('exportMap', params, () => undefined),
  act: (params) => answer('act', params, () => undefined),
  copy: (params) => answer('copy', params, () => undefined),
  ...fakePaths({
    run: () => current!,
    keep: (run, show) => {
      current = run;
      if (show) void webview.show({ content: contentOf(run) });
    },
    answer,
    step,
  }),
});
const { remote: webview } = connectRpc<PanelWebview>(port);

const fake: FakeHost = {
  requests: [],
  violations: [],
  failing: {},
  aborted: 0,
  state: () => JSON.parse(sessionStorage.getItem(STATE) ?? 'null') ?? undefined,
  setTheme(name) {
    const { bodyClass, variables } = THEMES[name];
    const root = document.documentElement;
    root.removeAttribute('style');
    for (const [variable, value] of Object.entries(variables)) root.style.setProperty(`--vscode-${variable}`, value);
    document.body.className = bodyClass;
  },
  show: (content) => webview.show({ content }),
  showSample: (name) => webview.show({ content: contentOf(keptSample(name)) }),
  measureElsewhere: (cells) => {
    const { left, measured } = toMeasure(current!, cells);
    current = measured(current!, 0, left.length);
    return webview.show({ content: contentOf(current) });
  },
  verifyElsewhere: (verifying) => webview.show({ content: { kind: 'run', run: summaryOf(current!), ...(verifying && { verifying }) } }),
  allow(steps) {
    allowed = steps;
    for (const resume of waiting) {
      if (allowed === 0) return;
      allowed--;
      waiting.delete(resume);
      resume();
    }
  },
  hold: (method) => holding.add(method),
  release() {
    holding.clear();
    for (const { release } of held.splice(0).reverse()) release();
  },
};

window.fakeHost = fake;
window.acquireVsCodeApi = () => ({
  postMessage(message: unknown) {
    const copy = copied(message);
    for (const listener of toWebview) setTimeout(() => listener(copy), 4);
  },
  getState: fake.state,
  setState: (state: unknown) => sessionStorage.setItem(STATE, JSON.stringify(state)),
});
document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => fake.violations.push(`${violatedDirective} ${blockedURI} ${sample}`));
document.addEventListener('DOMContentLoaded', () => fake.setTheme((parameters.get('theme') ?? 'dark') as ThemeName));
