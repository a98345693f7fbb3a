import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Log } from '../../src/editor/log';
import { Panel } from '../../src/editor/panel';
import { SELECTED_PROMPTS } from '../../src/editor/panels';
import type { PanelWork } from '../../src/editor/panelWork';
import type { PanelContent, PanelHost, PanelWebview } from '../../src/shared/panelProtocol';
import { connectRpc, serveRpc, type Port } from '../../src/shared/rpc';

export interface FakePanel {
  panel: Panel;
  /** What the webview calls. */
  host: PanelHost;
  /** What the webview is shown. */
  shown: PanelContent[];
  /** The person closes the panel. */
  close(): void;
  /** The webview is loaded anew, as after being hidden: what the old one had called is not answered any more. */
  reload(): PanelHost;
}

export function silentLog(): Log & { errors: string[] } {
  const errors: string[] = [];
  return { errors, info: () => undefined, warn: () => undefined, error: (what) => errors.push(what), show: () => undefined, dispose: () => undefined };
}

const nothing: PanelWork = {
  act: async () => undefined,
  verify: async () => undefined,
  cancelVerifying: async () => undefined,
  verifying: () => undefined,
  rerunWith: async () => undefined,
  exportMap: async () => undefined,
  attention: () => Promise.reject(new Error('not asked for')),
  lens: () => Promise.reject(new Error('not asked for')),
  predictions: () => Promise.reject(new Error('not asked for')),
  pathAnswers: () => assert.fail('not asked for'),
};

/** A panel whose webview is on this side of the wire. */
export function openPanel({ work = nothing, log = silentLog() }: { work?: PanelWork; log?: Log } = {}): FakePanel {
  const toHost = new vscode.EventEmitter<unknown>();
  const toWebview = new vscode.EventEmitter<unknown>();
  const closed = new vscode.EventEmitter<void>();
  const never = new vscode.EventEmitter<never>().event;
  let isClosed = false;
  const postMessage = (message: unknown): Promise<void> => {
    if (isClosed) throw new Error('Webview is disposed');
    return Promise.resolve(toWebview.fire(message));
  };
  const webview = { cspSource: '', asWebviewUri: (uri: vscode.Uri) => uri, onDidReceiveMessage: toHost.event, postMessage };
  const webviewPanel = { webview, visible: true, active: true, onDidDispose: closed.event, onDidChangeViewState: never };
  const panel = new Panel(webviewPanel as unknown as vscode.WebviewPanel, SELECTED_PROMPTS, { extensionUri: vscode.Uri.file('/'), log, work });
  const shown: PanelContent[] = [];
  let unload = (): void => undefined;
  const load = (): PanelHost => {
    unload();
    const listeners = new Set<vscode.Disposable>();
    const port: Port = {
      post: (message) => toHost.fire(message),
      onMessage: (listener) => {
        const subscription = toWebview.event(listener);
        listeners.add(subscription);
        return () => subscription.dispose();
      },
    };
    unload = () => listeners.forEach((subscription) => subscription.dispose());
    serveRpc<PanelWebview>(port, {
      async show({ content }) {
        shown.push(content);
      },
    });
    return connectRpc<PanelHost>(port).remote;
  };
  const close = (): void => {
    isClosed = true;
    closed.fire();
  };
  return { panel, host: load(), shown, close, reload: load };
}
