import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Attribution, Attributions } from '../../src/editor/attributions';
import { Panel } from '../../src/editor/panel';
import { actOfPanel } from '../../src/editor/panelActions';
import { SELECTED_PROMPTS } from '../../src/editor/panels';
import type { Log } from '../../src/editor/log';
import type { PanelContent, PanelHost, PanelWebview } from '../../src/shared/panelProtocol';
import { connectRpc, serveRpc, type Port } from '../../src/shared/rpc';
import { exampleRun } from '../unit/runs/exampleRun';
import { activated } from './extension';

const errors: string[] = [];
const log: Log = { info: () => undefined, warn: () => undefined, error: (what) => errors.push(what), show: () => undefined, dispose: () => undefined };

/** A panel whose webview is on this side of the wire, and what the webview is shown. */
function openPanel(): { panel: Panel; host: PanelHost; shown: PanelContent[] } {
  const toHost = new vscode.EventEmitter<unknown>();
  const toWebview = new vscode.EventEmitter<unknown>();
  const never = new vscode.EventEmitter<never>().event;
  const webview = { cspSource: '', asWebviewUri: (uri: vscode.Uri) => uri, onDidReceiveMessage: toHost.event, postMessage: async (message: unknown) => toWebview.fire(message) };
  const webviewPanel = { webview, visible: true, onDidDispose: never, onDidChangeViewState: never };
  const panel = new Panel(webviewPanel as unknown as vscode.WebviewPanel, SELECTED_PROMPTS, { extensionUri: vscode.Uri.file('/'), log, act: async () => undefined });
  const port: Port = {
    post: (message) => toHost.fire(message),
    onMessage: (listener) => {
      const subscription = toWebview.event(listener);
      return () => subscription.dispose();
    },
  };
  const shown: PanelContent[] = [];
  serveRpc<PanelWebview>(port, {
    async show({ content }) {
      shown.push(content);
    },
  });
  return { panel, host: connectRpc<PanelHost>(port).remote, shown };
}

describe('the panel', () => {
  beforeEach(() => void errors.splice(0));

  it('that is loaded anew while a run is computed shows the earlier run, then the progress', async () => {
    const { panel, host, shown } = openPanel();
    panel.showRun(exampleRun());
    panel.show({ kind: 'running', title: 'a', stage: 'Attributing', fraction: 0.5 });
    shown.push(await host.ready({}));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(shown.map(({ kind }) => kind), ['run', 'running']);
  });

  it('that is loaded anew before it has drawn is no error', async () => {
    const { panel, host } = openPanel();
    await host.ready({});
    panel.show({ kind: 'running', title: 'a', stage: 'Attributing', fraction: 0.5 });
    await host.ready({});
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(errors, []);
  });

  it('tries again what failed, not the earlier run', async () => {
    const { panel } = openPanel();
    const failing: Attribution = { title: 'what failed', panelKey: SELECTED_PROMPTS, plan: () => Promise.reject(new Error('never asked')) };
    const started: string[] = [];
    const attributions: Attributions = {
      runAll: (list) => {
        started.push(...list.map(({ title }) => title));
        return Promise.resolve([]);
      },
      cancel: () => undefined,
      lastTried: () => failing,
    };
    const run = exampleRun();
    panel.showRun(run);
    await actOfPanel('rerun', panel, { attributions, log });
    panel.show({ kind: 'failed', title: 'what failed', message: 'It failed.', fromFile: false });
    await actOfPanel('rerun', panel, { attributions, log });
    const { source, title } = run.manifest;
    assert.deepEqual(started, [source ? source.uri.split('/').pop() : title, 'what failed']);
  });

  it('keeps what it shows when a button of it cannot do its work', async () => {
    const { panel } = openPanel();
    const attributions = (await activated()).attributions;
    panel.showRun(exampleRun());
    await actOfPanel('openSource', panel, { attributions, log });
    assert.deepEqual(errors, ['The panel\'s button openSource']);
    assert.equal(panel.state, 'run');
  });
});
