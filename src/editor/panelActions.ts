import * as vscode from 'vscode';
import { CircuitError, toFailure } from '../shared/errors';
import { summaryOf, type ExperimentChange, type PanelAction } from '../shared/panelProtocol';
import { changeExperiment } from '../prompts/rules';
import { hasGradient, type TextExperiment } from '../shared/experiment';
import type { Run } from '../shared/run';
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
    // Not awaited: the panel follows the run by its content.
    case 'rerun':
      void attributions.runAll([changedAttribution(panel, {})]);
      return;
    case 'fileSettings':
      void attributions.runAll([asWritten(runOf(panel))]);
      return;
    case 'retry':
      void attributions.runAll([attributions.lastTried(panel.key) ?? asWritten(runOf(panel))]);
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

/** The pairs of a run as they are written now, with the settings of their file. */
function asWritten(run: Run): Attribution {
  const { source } = run.manifest;
  return source ? fileAttribution(vscode.Uri.parse(source.uri), source.pairIndices) : rerunOf(run, runSettings());
}

function runOf({ run }: Panel): Run {
  if (!run) throw new CircuitError('internal', 'There is nothing to run again here.');
  return run;
}

/**
 * The prompts of the run on show, as they are written now, once more: with the settings of that run, not with those of the
 * file, but for what is changed.
 */
export function changedAttribution(panel: Panel, change: ExperimentChange): Attribution {
  const run = runOf(panel);
  const { experiment, prependBos } = run.manifest;
  const written = asWritten(run);
  const { sites = summaryOf(run).sites, ...settings } = change;
  return {
    ...written,
    plan: async () => {
      const job = await written.plan();
      const { model, align, pairs } = job.experiment;
      const shown: TextExperiment = { ...experiment, prependBos, model, align, pairs };
      const changed = changeExperiment(shown, settings);
      // From or to a run without estimates the sites are the usual ones of the experiment.
      return { ...job, experiment: changed, ...(sites.length > 0 && hasGradient(changed) && { sites }) };
    },
  };
}

/** Where they could not be run, at the first mistake in them. */
async function openSource({ key, state }: Panel): Promise<void> {
  if (key === SELECTED_PROMPTS) throw new CircuitError('internal', 'These prompts come from no prompt file.');
  const uri = vscode.Uri.parse(key);
  const editor = await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.One });
  if (state !== 'failed') return;
  const before = editor.selection;
  const mistake = await firstError(uri);
  // Not under the hand of a person who has gone somewhere meanwhile.
  if (!mistake || !editor.selection.isEqual(before)) return;
  editor.selection = new vscode.Selection(mistake.start, mistake.start);
  editor.revealRange(mistake, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/** A file that has just been opened is checked a moment later. */
const CHECKED_WITHIN_MS = 5000;

function firstError(uri: vscode.Uri): Promise<vscode.Range | undefined> {
  const found = (): vscode.Range | undefined =>
    vscode.languages.getDiagnostics(uri).filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error).map(({ range }) => range).sort((a, b) => a.start.compareTo(b.start))[0];
  const now = found();
  if (now) return Promise.resolve(now);
  return new Promise((resolve) => {
    const end = (range?: vscode.Range): void => {
      clearTimeout(timer);
      changes.dispose();
      resolve(range);
    };
    const timer = setTimeout(() => end(), CHECKED_WITHIN_MS);
    const changes = vscode.languages.onDidChangeDiagnostics(({ uris }) => {
      const range = uris.some((changed) => changed.toString() === uri.toString()) ? found() : undefined;
      if (range) end(range);
    });
  });
}
