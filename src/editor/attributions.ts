import * as vscode from 'vscode';
import { CircuitError, toFailure } from '../shared/errors';
import type { Run } from '../shared/run';
import type { AttributionJob, ExperimentRunner } from '../runner/runner';
import type { RunStore } from '../runs/store';
import type { Log } from './log';
import { panelKeyOf, SELECTED_PROMPTS, type Panels } from './panels';
import { keepRun } from './keepRun';
import { withoutLinks } from './plainText';
import type { RunIndex } from './runIndex';
import { showError } from './showError';
import type { Activity, StatusBar } from './statusBar';

/** What to attribute. `plan` reads the prompts as late as possible: when its turn has come. */
export interface Attribution {
  title: string;
  panelKey: string;
  plan(): Promise<AttributionJob>;
}

/** What became of the jobs of one command, in their order. */
export type Outcome = { run: Run } | { failure: CircuitError };

export interface Attributions {
  /** Runs all of them one after the other, with one progress and one cancel. Failures are told here; nothing is thrown. */
  runAll(attributions: readonly Attribution[]): Promise<Outcome[]>;
  /** Stops the commands that a panel waits for. */
  cancel(panelKey: string): void;
  /** What was tried last for a panel in this session, whatever became of it. */
  lastTried(panelKey: string): Attribution | undefined;
}

export interface AttributionDependencies {
  runner: ExperimentRunner;
  store: RunStore;
  runIndex: RunIndex;
  panels: Panels;
  statusBar: StatusBar;
  log: Log;
}

/** Milliseconds. The engine reports more often than a person can see. */
const PROGRESS_INTERVAL = 100;

export function createAttributions({ runner, store, runIndex, panels, statusBar, log }: AttributionDependencies): Attributions {
  const waiting = new Map<string, Set<AbortController>>();
  const tried = new Map<string, Attribution>();

  const attribute = async (attribution: Attribution, abort: AbortController, activity: Activity, onProgress: (stage: string, fraction: number) => void): Promise<Outcome> => {
    const { title, panelKey } = attribution;
    const panel = panels.show(panelKey);
    tried.set(panelKey, attribution);
    let told = { stage: '', time: 0 };
    const tell = (stage: string, fraction: number): void => {
      if (stage === told.stage && Date.now() - told.time < PROGRESS_INTERVAL) return;
      told = { stage, time: Date.now() };
      panel.show({ kind: 'running', title, stage, fraction });
      activity.report(title, stage, fraction);
      onProgress(stage, fraction);
    };
    const commands = waiting.get(panelKey) ?? new Set();
    waiting.set(panelKey, commands.add(abort));
    try {
      tell('Waiting', 0);
      const job = await attribution.plan();
      const started = Date.now();
      const run = await runner.attribute(job, { signal: abort.signal, onProgress: ({ stage, fraction }) => tell(stage, fraction) });
      log.info(`${title}: ${run.manifest.pairs.length} pairs on ${run.manifest.model.id}, ${((Date.now() - started) / 1000).toFixed(1)} s`);
      (panels.get(panelKey) ?? panel).showRun(run);
      await keepRun(run, { store, runIndex, log });
      return { run };
    } catch (error) {
      const failure = error instanceof CircuitError ? error : new CircuitError('internal', toFailure(error).message, { cause: error });
      if (failure.code !== 'cancelled') {
        log.error(title, failure);
        panel.show({ kind: 'failed', title, message: messageOf(failure), fromFile: panelKey !== SELECTED_PROMPTS });
      } else if (panel.run) {
        panel.showRun(panel.run);
      } else {
        panel.show({ kind: 'empty', message: 'Cancelled before there was a result.' });
      }
      return { failure };
    } finally {
      commands.delete(abort);
    }
  };

  const runAll = (attributions: readonly Attribution[]): Promise<Outcome[]> => {
    const options = { location: vscode.ProgressLocation.Notification, title: withoutLinks(titleOf(attributions)), cancellable: true };
    return Promise.resolve(
      vscode.window.withProgress(options, async (progress, token) => {
        const abort = new AbortController();
        token.onCancellationRequested(() => abort.abort());
        const activity = statusBar.begin();
        const outcomes: Outcome[] = [];
        let reported = 0;
        try {
          for (const [index, attribution] of attributions.entries()) {
            if (abort.signal.aborted) break;
            outcomes.push(
              await attribute(attribution, abort, activity, (stage, fraction) => {
                const done = (index + fraction) / attributions.length;
                const count = attributions.length > 1 ? `${index + 1} of ${attributions.length}, ` : '';
                progress.report({ message: `${count}${stage}`, increment: Math.max(0, done - reported) * 100 });
                reported = Math.max(reported, done);
              }),
            );
          }
        } finally {
          activity.end();
        }
        tellFailure(outcomes);
        return outcomes;
      }),
    );
  };

  /** Problems of a prompt file stand in its editor and in the panel; what else went wrong is told once. */
  const tellFailure = (outcomes: readonly Outcome[]): void => {
    const failures = outcomes.flatMap((outcome) => ('failure' in outcome && isWorthTelling(outcome.failure) ? [outcome.failure] : []));
    if (failures.length === 0) return;
    const more = failures.length > 1 ? ` (${failures.length} of ${outcomes.length} runs failed.)` : '';
    showError(failures[0]!.message + more, log);
  };

  return {
    runAll,
    cancel: (panelKey) => waiting.get(panelKey)?.forEach((abort) => abort.abort()),
    lastTried: (panelKey) => tried.get(panelKey),
  };
}

function isWorthTelling({ code }: CircuitError): boolean {
  return code !== 'cancelled' && code !== 'prompt-file' && code !== 'experiment';
}

function messageOf({ message, place }: CircuitError): string {
  return place ? `Line ${place.line}, column ${place.column}: ${message}` : message;
}

function titleOf(attributions: readonly Attribution[]): string {
  return attributions.length === 1 ? `Attributing ${attributions[0]!.title}` : `Attributing ${attributions.length} prompt files`;
}

/** The same experiment once more, for runs that come from no prompt file. */
export function rerunOf({ manifest }: Run, settings: AttributionJob['settings']): Attribution {
  const { experiment, title } = manifest;
  return { title, panelKey: panelKeyOf(manifest), plan: async () => ({ experiment, settings, title }) };
}
