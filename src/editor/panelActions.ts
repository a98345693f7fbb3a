import * as vscode from 'vscode';
import { CircuitError, toFailure } from '../shared/errors';
import type { PanelAction } from '../shared/panelProtocol';
import { rerunOf, showError, type Attribution, type Attributions } from './attributions';
import { fileAttribution } from './fileAttribution';
import type { Log } from './log';
import type { Panel } from './panel';
import { SELECTED_PROMPTS } from './panels';
import { runSettings } from './settings';

/** What the panel's buttons do. What goes wrong is told beside the panel, which keeps what it shows. */
export async function actOfPanel(action: PanelAction, panel: Panel, { attributions, log }: { attributions: Attributions; log: Log }): Promise<void> {
  try {
    await act(action, panel, attributions, log);
  } catch (error) {
    log.error(`The panel's button ${action}`, error);
    showError(toFailure(error).message, log);
  }
}

async function act(action: PanelAction, panel: Panel, attributions: Attributions, log: Log): Promise<void> {
  switch (action) {
    case 'rerun':
      // Not awaited: the panel follows the run by its content.
      void attributions.runAll([attributionOf(panel, attributions)]);
      return;
    case 'cancel':
      return attributions.cancel(panel.key);
    case 'openSource':
      return openSource(panel);
    case 'showLog':
      return log.show();
  }
}

/** What failed, again; else the pairs on show, as they are written now. */
function attributionOf(panel: Panel, attributions: Attributions): Attribution {
  const failed = panel.state === 'failed' ? attributions.lastTried(panel.key) : undefined;
  if (failed) return failed;
  if (!panel.run) throw new CircuitError('internal', 'There is nothing to run again here.');
  const { source } = panel.run.manifest;
  return source ? fileAttribution(vscode.Uri.parse(source.uri), source.pairIndices) : rerunOf(panel.run, runSettings());
}

async function openSource({ key }: Panel): Promise<void> {
  if (key === SELECTED_PROMPTS) throw new CircuitError('internal', 'These prompts come from no prompt file.');
  await vscode.window.showTextDocument(vscode.Uri.parse(key), { viewColumn: vscode.ViewColumn.One });
}
