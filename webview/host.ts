import type { PanelState } from '../src/shared/panelProtocol';
import type { Port } from '../src/shared/rpc';

/** What VS Code gives a webview's script, once per load. */
interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** The panel's only way out: messages, and the little that outlives a reload. Tests put a fake behind `acquireVsCodeApi`. */
export interface HostSeam {
  port: Port;
  getState(): PanelState | undefined;
  setState(state: PanelState): void;
}

export function connectHost(): HostSeam {
  const api = acquireVsCodeApi();
  const port: Port = {
    post: (message) => api.postMessage(message),
    onMessage(listener) {
      const receive = (event: MessageEvent<unknown>): void => listener(event.data);
      window.addEventListener('message', receive);
      return () => window.removeEventListener('message', receive);
    },
  };
  return {
    port,
    getState() {
      const state = api.getState();
      return isPanelState(state) ? state : undefined;
    },
    setState: (state) => api.setState(state),
  };
}

/** What an older version of the extension stored may look different. */
function isPanelState(state: unknown): state is PanelState {
  return typeof state === 'object' && state !== null && typeof (state as { runId?: unknown }).runId === 'string';
}
