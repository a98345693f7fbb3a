import * as vscode from 'vscode';
import { fromFailure, toFailure } from '../shared/errors';
import type { RunManifest } from '../shared/run';
import type { RunStore } from '../runs/store';
import { Panel, PANEL_VIEW_TYPE, type PanelDependencies } from './panel';
import { readPanelState } from './panelMessages';

/** Key of the one panel for prompts that come from no prompt file. */
export const SELECTED_PROMPTS = 'selected-prompts';

/** The panel a run belongs to. */
export function panelKeyOf({ source }: Pick<RunManifest, 'source'>): string {
  return source?.uri ?? SELECTED_PROMPTS;
}

/** One panel per prompt file, found again by its key. */
export class Panels implements vscode.WebviewPanelSerializer, vscode.Disposable {
  private readonly open = new Map<string, Panel>();

  constructor(
    private readonly store: RunStore,
    private readonly dependencies: PanelDependencies,
  ) {}

  get(key: string): Panel | undefined {
    return this.open.get(key);
  }

  get all(): Panel[] {
    return [...this.open.values()];
  }

  /** The panel of this key, opened beside the editor if need be. The focus stays where it is. */
  show(key: string): Panel {
    const existing = this.open.get(key);
    if (existing) {
      if (!existing.visible) existing.reveal();
      return existing;
    }
    // Panels gather in one group, so that rerunning several files does not split the window again and again.
    const viewColumn = this.all.at(-1)?.viewColumn ?? vscode.ViewColumn.Beside;
    return this.adopt(vscode.window.createWebviewPanel(PANEL_VIEW_TYPE, titleOf(key), { viewColumn, preserveFocus: true }, { enableFindWidget: true }), key);
  }

  /** After a window reload. The run comes from the store; when it is gone the panel says so. */
  async deserializeWebviewPanel(webviewPanel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const runId = readPanelState(state)?.runId;
    if (runId === undefined) {
      // It was reloaded before it had a run; what it was for is not known any more.
      webviewPanel.title = titleOf(SELECTED_PROMPTS);
      this.adopt(webviewPanel, SELECTED_PROMPTS);
      return;
    }
    let closed = false;
    const subscription = webviewPanel.onDidDispose(() => (closed = true));
    const loaded = await this.store.load(runId).catch((error: unknown) => toFailure(error));
    subscription.dispose();
    // A panel that the person has closed meanwhile throws at every touch.
    if (closed) return;
    if ('manifest' in loaded) {
      const key = panelKeyOf(loaded.manifest);
      webviewPanel.title = titleOf(key);
      this.adopt(webviewPanel, key).showRun(loaded);
    } else {
      this.dependencies.log.error(`The run ${runId} of a restored panel could not be opened`, fromFailure(loaded));
      this.adopt(webviewPanel, `missing:${runId}`).show({ kind: 'empty', message: `The run shown here is not there any more. ${loaded.message}` });
    }
  }

  dispose(): void {
    for (const panel of this.all) panel.dispose();
  }

  private adopt(webviewPanel: vscode.WebviewPanel, key: string): Panel {
    const panel = new Panel(webviewPanel, key, this.dependencies);
    // Of two restored panels of one file the first is the one that reruns go to.
    if (!this.open.has(key)) this.open.set(key, panel);
    panel.onDidDispose(() => {
      if (this.open.get(key) === panel) this.open.delete(key);
    });
    return panel;
  }
}

function titleOf(key: string): string {
  const name = key === SELECTED_PROMPTS ? 'selected prompts' : vscode.Uri.parse(key).path.split('/').pop();
  return `Attribution: ${name}`;
}
