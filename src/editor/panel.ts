import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import type { PanelAction, PanelContent, PanelHost, PanelWebview } from '../shared/panelProtocol';
import { connectRpc, serveRpc, type Handlers, type Port, type RpcClient } from '../shared/rpc';
import type { Run } from '../shared/run';
import type { Log } from './log';
import { panelHtml, webviewRoot } from './panelHtml';
import { readAction, readCopiedText, readLayerDetailRequest, readPositionMapRequest, readViewRequest } from './panelMessages';
import { contentOf, layerDetailOf, positionMapOf, viewOf } from './panelModel';

/** In one place because the manifest's activation event and the serializer must say the same. */
export const PANEL_VIEW_TYPE = 'circuitExplorer.panel';

export interface PanelDependencies {
  extensionUri: vscode.Uri;
  log: Log;
  act(action: PanelAction, panel: Panel): Promise<void>;
}

/**
 * The results of one prompt file (or of selected prompts) beside it. The host keeps what is shown; the webview asks for it
 * whenever its script starts: at first, after being hidden or moved, after a reload.
 */
export class Panel implements vscode.Disposable {
  private content: PanelContent = { kind: 'empty', message: 'Nothing has been attributed here yet.' };
  private shown: Run | undefined;
  private client: RpcClient<PanelWebview> | undefined;
  private readonly port: Port;
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly disposed = new vscode.EventEmitter<void>();
  readonly onDidDispose = this.disposed.event;

  constructor(
    private readonly panel: vscode.WebviewPanel,
    /** URI of the prompt file, or `SELECTED_PROMPTS`. */
    readonly key: string,
    private readonly dependencies: PanelDependencies,
  ) {
    const { extensionUri, log } = dependencies;
    panel.webview.options = { enableScripts: true, localResourceRoots: [webviewRoot(extensionUri)] };
    const icon = (theme: string): vscode.Uri => vscode.Uri.joinPath(extensionUri, 'media', 'icons', `panel-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    this.port = {
      post: (message) => void panel.webview.postMessage(message).then(undefined, (error: unknown) => log.error('A message to the panel was lost', error)),
      onMessage: (listener) => {
        const subscription = panel.webview.onDidReceiveMessage(listener);
        return () => subscription.dispose();
      },
    };
    const stopServing = serveRpc<PanelHost>(this.port, this.handlers());
    panel.onDidDispose(() => {
      stopServing();
      this.disconnect('The panel was closed.');
      for (const subscription of this.subscriptions) subscription.dispose();
      this.disposed.fire();
      this.disposed.dispose();
    });
    panel.onDidChangeViewState(() => {
      // A hidden webview is gone with its script; it asks again when it is back.
      if (!panel.visible) this.disconnect('The panel was hidden.');
    }, undefined, this.subscriptions);
    panel.webview.html = panelHtml(panel.webview, extensionUri);
  }

  /** The run on show, also while the next one is being computed. */
  get run(): Run | undefined {
    return this.shown;
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  get viewColumn(): vscode.ViewColumn | undefined {
    return this.panel.viewColumn;
  }

  get state(): PanelContent['kind'] {
    return this.content.kind;
  }

  showRun(run: Run): void {
    this.shown = run;
    this.show(contentOf(run));
  }

  show(content: PanelContent): void {
    this.content = content;
    const { client } = this;
    client?.remote.show({ content }).catch((error: unknown) => {
      // A webview that went meanwhile asks again when it is back.
      if (this.client === client) this.dependencies.log.error('The panel could not draw', error);
    });
  }

  /** Where it is, without taking the focus. */
  reveal(): void {
    this.panel.reveal(undefined, true);
  }

  dispose(): void {
    this.panel.dispose();
  }

  private disconnect(reason: string): void {
    const client = this.client;
    this.client = undefined;
    client?.close(new Error(reason));
  }

  private handlers(): Handlers<PanelHost> {
    return {
      ready: async () => {
        this.disconnect('The panel was loaded anew.');
        this.client = connectRpc<PanelWebview>(this.port);
        if (this.content.kind !== 'running' || !this.shown) return this.content;
        // The run first, as it was before: it stays readable while its successor is computed. The progress follows this answer.
        setTimeout(() => this.show(this.content));
        return contentOf(this.shown);
      },
      view: async (params) => {
        const run = this.runOnShow();
        return viewOf(run, readViewRequest(params, run).options);
      },
      positionMap: async (params) => {
        const run = this.runOnShow();
        return positionMapOf(run, readPositionMapRequest(params, run));
      },
      layerDetail: async (params) => {
        const run = this.runOnShow();
        return layerDetailOf(run, readLayerDetailRequest(params, run));
      },
      act: async (params) => this.dependencies.act(readAction(params), this),
      copy: async (params) => vscode.env.clipboard.writeText(readCopiedText(params)),
    };
  }

  private runOnShow(): Run {
    if (!this.shown) throw new CircuitError('internal', 'The panel shows no run.');
    return this.shown;
  }
}
