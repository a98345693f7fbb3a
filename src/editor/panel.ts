import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import type { PanelContent, PanelHost, PanelWebview } from '../shared/panelProtocol';
import { connectRpc, serveRpc, type Handlers, type Port, type RpcClient, type ServedCall } from '../shared/rpc';
import type { Run } from '../shared/run';
import type { Log } from './log';
import { panelHtml, webviewRoot } from './panelHtml';
import { readChange } from './changeMessage';
import { NeuronPages } from './neurons';
import * as read from './panelMessages';
import { agreementOfMap, agreementTable, cellsOf, contentOf, exactEffectsOf, layerDetailOf, mapValues, patchCostOf } from './panelModel';
import type { PanelWork } from './panelWork';
import { pathHandlers } from './pathHandlers';

/** In one place because the manifest's activation event and the serializer must say the same. */
export const PANEL_VIEW_TYPE = 'circuitExplorer.panel';

export interface PanelDependencies {
  extensionUri: vscode.Uri;
  log: Log;
  work: PanelWork;
}

/** Milliseconds between two drawings of a run whose numbers are arriving, where the webview has not asked for them itself. */
const REFRESH_INTERVAL = 1000;

/**
 * The results of one prompt file (or of selected prompts) beside it. The host keeps what is shown; the webview asks for it
 * whenever its script starts: at first, after being hidden or moved, after a reload.
 */
export class Panel implements vscode.Disposable {
  private content: PanelContent = { kind: 'empty', message: 'Nothing has been attributed here yet.' };
  private shown: Run | undefined;
  private client: RpcClient<PanelWebview> | undefined;
  /** Webviews that follow a verification by the call they made. */
  private readonly following = new Set<RpcClient<PanelWebview>>();
  private readonly neuronPages = new NeuronPages();
  private refreshing: NodeJS.Timeout | undefined;
  private isClosed = false;
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
      post: (message) => {
        // Answers to what a closed panel has asked go nowhere: VS Code throws at every touch of it.
        if (this.isClosed) return;
        void panel.webview.postMessage(message).then(undefined, (error: unknown) => log.error('A message to the panel was lost', error));
      },
      onMessage: (listener) => {
        const subscription = panel.webview.onDidReceiveMessage(listener);
        return () => subscription.dispose();
      },
    };
    const stopServing = serveRpc<PanelHost>(this.port, this.handlers());
    panel.onDidDispose(() => {
      this.isClosed = true;
      clearTimeout(this.refreshing);
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

  get active(): boolean {
    return this.panel.active;
  }

  get closed(): boolean {
    return this.isClosed;
  }

  get viewColumn(): vscode.ViewColumn | undefined {
    return this.panel.viewColumn;
  }

  get state(): PanelContent['kind'] {
    return this.content.kind;
  }

  showRun(run: Run): void {
    // A webview leaves the calls it made for another run, though they go on.
    if (run.manifest.id !== this.shown?.manifest.id) this.following.clear();
    this.shown = run;
    this.show(contentOf(run));
  }

  /** The run on show with more of it measured, or its verification further on: its maps are asked for again. */
  update(run: Run): void {
    if (this.isClosed) return;
    this.shown = run;
    if (this.client && this.following.has(this.client)) return;
    this.refreshing ??= setTimeout(() => {
      this.refreshing = undefined;
      // What failed since stays said above it.
      if (this.content.kind === 'run' || this.content.kind === 'failed') this.send(contentOf(run));
    }, REFRESH_INTERVAL);
  }

  /** The run on show with something new that the webview lists (edges, circuits, notes): it is told at once, unless it is what has changed it. */
  showChanged(run: Run, { tell }: { tell: boolean } = { tell: true }): void {
    if (this.isClosed) return;
    this.shown = run;
    const { content } = this;
    if (content.kind === 'run') this.content = contentOf(run);
    if (!tell) return;
    this.send(contentOf(run));
    if (content.kind === 'run') return;
    // What is computed, or has failed, since.
    this.send(content);
  }

  show(content: PanelContent): void {
    this.content = content;
    this.send(content);
  }

  private send(content: PanelContent): void {
    const { client } = this;
    client?.remote.show({ content: this.withVerification(content) }).catch((error: unknown) => {
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
    const { work } = this.dependencies;
    /** A method about the run on show: its parameters are checked first. */
    const ofRun = <P, A>(check: (params: unknown, run: Run) => P, answer: (run: Run, params: P, call: ServedCall) => A | Promise<A>) =>
      async (params: unknown, call: ServedCall): Promise<A> => {
        const run = this.runOnShow();
        return answer(run, check(params, run), call);
      };
    return {
      ready: async () => {
        this.disconnect('The panel was loaded anew.');
        this.client = connectRpc<PanelWebview>(this.port);
        if ((this.content.kind !== 'running' && this.content.kind !== 'failed') || !this.shown) return this.withVerification(this.content);
        // The run first, as it was before: it stays readable while its successor is computed, or has failed. That follows this answer.
        setTimeout(() => this.show(this.content));
        return this.withVerification(contentOf(this.shown));
      },
      map: ofRun(read.readMapRequest, mapValues),
      layerDetail: ofRun(read.readLayerDetailRequest, layerDetailOf),
      neurons: ofRun(read.readNeuronsRequest, (run, request) => this.neuronPages.page(run, request)),
      exactEffects: ofRun(read.readUnitsView, exactEffectsOf),
      agreement: ofRun(read.readMapView, agreementOfMap),
      agreementTable: ofRun(read.readViewRequest, (run, { options }) => agreementTable(run, options)),
      patchCost: ofRun(read.readCellChoice, patchCostOf),
      verify: ofRun(read.readCellChoice, (run, choice, call) => this.followed(() => work.verify(this, run, cellsOf(run, choice), call))),
      cancelVerifying: ofRun(read.checkRunId, (run) => work.cancelVerifying(run.manifest.id)),
      attention: ofRun(read.readAttentionRequest, work.attention),
      lens: ofRun(read.checkRunId, (run, _, call) => work.lens(run, call)),
      predictions: ofRun(read.readPair, work.predictions),
      rerunWith: ofRun(
        (params, run) => {
          read.checkRunId(params, run);
          return readChange(params, run.manifest.model);
        },
        (_, change) => work.rerunWith(this, change),
      ),
      exportMap: ofRun(read.readMapView, work.exportMap),
      act: async (params) => work.act(read.readAction(params), this),
      ...pathHandlers(this, ofRun, work.pathAnswers),
      copy: async (params) => vscode.env.clipboard.writeText(read.readCopiedText(params)),
    };
  }

  private withVerification(content: PanelContent): PanelContent {
    if (content.kind !== 'run') return content;
    const verifying = this.dependencies.work.verifying(content.run.id);
    return verifying ? { ...content, verifying } : content;
  }

  /** Work that the webview follows by the call it has made: it asks for what changes of its own accord. */
  async followed(work: () => Promise<void>): Promise<void> {
    const { client } = this;
    if (client) this.following.add(client);
    try {
      await work();
    } finally {
      if (client) this.following.delete(client);
    }
  }

  private runOnShow(): Run {
    if (!this.shown) throw new CircuitError('internal', 'The panel shows no run.');
    return this.shown;
  }
}
