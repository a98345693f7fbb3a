import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import type { PanelAction } from '../shared/panelProtocol';
import { rerunOf, type Attributions } from './attributions';
import { fileAttribution } from './fileAttribution';
import type { Log } from './log';
import type { Panel } from './panel';
import { SELECTED_PROMPTS } from './panels';
import { runSettings } from './settings';

/** What the panel's buttons do. */
export async function actOfPanel(action: PanelAction, panel: Panel, { attributions, log }: { attributions: Attributions; log: Log }): Promise<void> {
  switch (action) {
    case 'rerun':
      return rerun(panel, attributions);
    case 'cancel':
      return attributions.cancel(panel.key);
    case 'openSource':
      return openSource(panel);
    case 'showLog':
      return log.show();
  }
}

/** The same pairs as on show, as they are written now. Answered at once: the panel follows the run by its content. */
function rerun(panel: Panel, attributions: Attributions): void {
  const source = panel.run?.manifest.source;
  if (source) void attributions.runAll([fileAttribution(vscode.Uri.parse(source.uri), source.pairIndices)]);
  else if (panel.run) void attributions.runAll([rerunOf(panel.run, runSettings())]);
  else if (panel.key.includes(':')) void attributions.runAll([fileAttribution(vscode.Uri.parse(panel.key))]);
  else throw new CircuitError('internal', 'There is nothing to run again here.');
}

async function openSource({ key }: Panel): Promise<void> {
  if (key === SELECTED_PROMPTS) throw new CircuitError('internal', 'These prompts come from no prompt file.');
  await vscode.window.showTextDocument(vscode.Uri.parse(key), { viewColumn: vscode.ViewColumn.One });
}
