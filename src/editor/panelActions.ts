import * as vscode from 'vscode';
import { CircuitError, toFailure } from '../shared/errors';
import { summaryOf, type ExperimentChange, type PanelAction } from '../shared/panelProtocol';
import { changeExperiment } from '../prompts/rules';
import type { TextExperiment } from '../shared/experiment';
import { rerunOf, type Attribution, type Attributions } from './attributions';
import { fileAttribution } from './fileAttribution';
import type { Log } from './log';
import type { Panel } from './panel';
import { SELECTED_PROMPTS } from './panels';
import { runSettings } from './settings';
import { showError } from './showError';

export interface ActionDependencies {
  attributions: Attributions;
  log: Log;
}

/** What the panel's buttons do. What goes wrong is told beside the panel, which keeps what it shows. */
export async function actOfPanel(action: PanelAction, panel: Panel, dependencies: ActionDependencies): Promise<void> {
  const { log } = dependencies;
  try {
    await act(action, panel, dependencies);
  } catch (error) {
    log.error(`The panel's button ${action}`, error);
    showError(toFailure(error).message, log);
  }
}

async function act(action: PanelAction, panel: Panel, { attributions, log }: ActionDependencies): Promise<void> {
  switch (action) {
    case 'rerun':
      // Not awaited: the panel follows the run by its content.
      void attributions.runAll([attributionOf(panel, attributions)]);
      return;
    case 'cancel':
      attributions.cancel(panel.key);
      return;
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

/**
 * The prompts of the run on show, as they are written now, once more: with the settings of that run, not with those of the
 * file, but for what is changed. A plain rerun returns to the file's own.
 */
export function changedAttribution(panel: Panel, change: ExperimentChange): Attribution {
  const { run } = panel;
  if (!run) throw new CircuitError('internal', 'There is nothing to run again here.');
  const { source, experiment, prependBos } = run.manifest;
  const written = source ? fileAttribution(vscode.Uri.parse(source.uri), source.pairIndices) : rerunOf(run, runSettings());
  const { sites = summaryOf(run).sites, ...settings } = change;
  return {
    ...written,
    plan: async () => {
      const job = await written.plan();
      const { model, align, pairs } = job.experiment;
      const shown: TextExperiment = { ...experiment, prependBos, model, align, pairs };
      return { ...job, experiment: changeExperiment(shown, settings), sites };
    },
  };
}

async function openSource({ key }: Panel): Promise<void> {
  if (key === SELECTED_PROMPTS) throw new CircuitError('internal', 'These prompts come from no prompt file.');
  await vscode.window.showTextDocument(vscode.Uri.parse(key), { viewColumn: vscode.ViewColumn.One });
}
