import { CircuitError } from '../../src/shared/errors';
import { summaryOf, type PanelContent, type PanelHost, type PanelState, type PanelWebview, type ViewRequest } from '../../src/shared/panelProtocol';
import { connectRpc, serveRpc, type Port } from '../../src/shared/rpc';
import type { Run } from '../../src/shared/run';
import { canNormalise, headScores, layerDetail, positionScores } from '../../src/shared/views';
import { sampleRun, type SampleName } from './sampleRuns';
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
  /** From now on, answers to this method wait for `release`. */
  hold(method: string): void;
  release(): void;
  /** The next calls of this method fail with this message, until `undefined` is set. */
  failing: Record<string, string | undefined>;
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

async function answer<T>(method: string, params: unknown, compute: () => T): Promise<T> {
  fake.requests.push({ method, params });
  if (holding.has(method)) await new Promise<void>((release) => held.push({ method, release }));
  const failure = fake.failing[method];
  if (failure !== undefined) throw new CircuitError('internal', failure);
  return compute();
}

function contentOf(run: Run): PanelContent {
  const options = { pair: 'all', unit: canNormalise(run.manifest) ? 'normalised' : 'raw' } as const;
  return { kind: 'run', run: summaryOf(run), view: viewOf({ runId: run.manifest.id, options }) };
}

function viewOf({ options }: ViewRequest): Extract<PanelContent, { kind: 'run' }>['view'] {
  const { manifest, arrays } = current!;
  return { options, heads: { all: headScores(manifest, arrays, 'all', options), last: headScores(manifest, arrays, 'last', options) } };
}

serveRpc<PanelHost>(port, {
  ready: (params) =>
    answer('ready', params, () => {
      const name = parameters.get('run');
      if (name === null) return { kind: 'empty', message: 'Open a prompt file and run “Attribute prompt pair”.' };
      current = sampleRun(name as SampleName);
      return contentOf(current);
    }),
  view: (params) => answer('view', params, () => viewOf(params)),
  positionMap: (params) => answer('positionMap', params, () => positionScores(current!.manifest, current!.arrays, params.group, params.site, params.options)!),
  layerDetail: (params) => answer('layerDetail', params, () => layerDetail(current!.manifest, current!.arrays, params.group, params.layer, params.options)!),
  act: (params) => answer('act', params, () => undefined),
  copy: (params) => answer('copy', params, () => undefined),
});
const { remote: webview } = connectRpc<PanelWebview>(port);

const fake: FakeHost = {
  requests: [],
  violations: [],
  failing: {},
  state: () => JSON.parse(sessionStorage.getItem(STATE) ?? 'null') ?? undefined,
  setTheme(name) {
    const { bodyClass, variables } = THEMES[name];
    const root = document.documentElement;
    root.removeAttribute('style');
    for (const [variable, value] of Object.entries(variables)) root.style.setProperty(`--vscode-${variable}`, value);
    document.body.className = bodyClass;
  },
  show: (content) => webview.show({ content }),
  showSample: (name) => {
    current = sampleRun(name);
    return webview.show({ content: contentOf(current) });
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
