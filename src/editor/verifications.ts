import * as vscode from 'vscode';
import type { ExperimentRunner } from '../runner/runner';
import { Queue } from '../runner/queue';
import type { RunSettings } from '../runner/settings';
import type { RunStore } from '../runs/store';
import { CircuitError } from '../shared/errors';
import { exactOf, patchSeconds, withExact } from '../shared/exact';
import type { CallOptions, MeasuredEffects, PatchCell } from '../shared/results';
import type { Run, RunManifest } from '../shared/run';
import { keepRun } from './keepRun';
import type { Log } from './log';
import type { Panel } from './panel';
import type { Panels } from './panels';
import { withoutLinks } from './plainText';
import type { RunIndex } from './runIndex';
import type { StatusBar } from './statusBar';

/** Exact patching of cells of the runs on show. */
export interface Verifications {
  /**
   * Patches cells of the run that the panel shows. What is measured is added to the run as it comes, wherever it is shown, and
   * saved in the end, also when it is cancelled: by the call, the notification or `cancel`. Throws what the runner throws.
   * It goes on when the panel is hidden or closed.
   */
  verify(panel: Panel, cells: readonly PatchCell[], call: CallOptions): Promise<void>;
  /** Stops what was asked for in a panel. */
  cancel(panelKey: string): void;
  /** The run with all that has been measured so far, while it is being verified. */
  current(runId: string): Run | undefined;
}

export interface VerificationDependencies {
  runner: Pick<ExperimentRunner, 'patch'>;
  store: RunStore;
  runIndex: RunIndex;
  panels: Pick<Panels, 'all'>;
  statusBar: StatusBar;
  log: Log;
  settingsOf(run: RunManifest): RunSettings;
  /** Milliseconds between two saves of a run that is being measured; a minute by default. */
  saveEvery?: number;
}

/** Milliseconds between two looks at what was measured: more often than that, drawing would take longer than patching. */
const INTERVAL = 150;
/** Adding to a run copies it: of the time at most one part in so many goes into that. */
const SHARE = 10;
/** Shorter ones only show in the status bar. */
const WORTH_A_NOTIFICATION_SECONDS = 2;

export function createVerifications(dependencies: VerificationDependencies): Verifications {
  const { runner, panels, statusBar, log, settingsOf, saveEvery = 60_000 } = dependencies;
  const open = new Map<string, { run: Run; users: number }>();
  const waiting = new Map<string, Set<AbortController>>();
  // One after the other, so that the next one knows what the last one has measured.
  const queue = new Queue();

  const verify: Verifications['verify'] = async (panel, cells, call) => {
    const shown = panel.run;
    if (!shown || cells.length === 0) return;
    const { id } = shown.manifest;
    const live = open.get(id) ?? { run: shown, users: 0 };
    open.set(id, live);
    live.users++;
    const abort = abortOf(panel, call.signal);
    const ofPanel = waiting.get(panel.key) ?? new Set();
    waiting.set(panel.key, ofPanel.add(abort));
    const activity = statusBar.begin();
    const title = titleOf(cells, shown.manifest);
    const started = Date.now();

    /** Adds what was measured to the run, and shows it wherever the run is shown. */
    const add = (measured: readonly MeasuredEffects[]): void => {
      if (measured.length === 0) return;
      live.run = withExact(live.run, joined(measured));
      for (const each of new Set([panel, ...panels.all])) {
        if (each.run?.manifest.id === id) each.update(live.run);
      }
    };

    const patch = async (report: (stage: string, fraction: number) => void): Promise<void> => {
      const before = exactOf(live.run).cells.length;
      let saved = Date.now();
      let saving = Promise.resolve();
      // One after the other, so that the last one is what stays.
      const save = (): Promise<void> => {
        saved = Date.now();
        return (saving = saving.then(() => keepRun(live.run, dependencies)));
      };
      const arriving = collector(({ stage, fraction }, measured) => {
        add(measured);
        report(stage, fraction);
        // An editor that is closed, or dies, takes no more than this with it.
        if (measured.length > 0 && Date.now() - saved >= saveEvery) void save();
      });
      try {
        const { run } = live;
        const patched = await runner.patch({ run, cells, settings: settingsOf(run.manifest) }, { signal: abort.signal, onProgress: arriving.take });
        arriving.flush();
        add([exactOf(patched)]);
      } finally {
        arriving.flush();
        if (exactOf(live.run).cells.length > before) await save();
      }
    };

    try {
      await withNotification(title, patchSeconds(shown.manifest, cells), abort, (notify) => {
        const report = (stage: string, fraction: number): void => {
          activity.report(title, stage, fraction);
          notify(stage, fraction);
          call.onProgress?.({ stage, fraction });
        };
        report('Waiting', 0);
        return queue.run(() => patch(report), { signal: abort.signal });
      });
      log.info(`${title}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
    } catch (error) {
      if (!CircuitError.is(error, 'cancelled')) log.error(title, error);
      throw error;
    } finally {
      activity.end();
      ofPanel.delete(abort);
      if (--live.users === 0) open.delete(id);
    }
  };

  return {
    verify,
    cancel: (panelKey) => waiting.get(panelKey)?.forEach((abort) => abort.abort()),
    current: (runId) => open.get(runId)?.run,
  };
}

/** Follows a call's signal, but not its end by the panel's being closed: the person has asked for numbers, and they are saved. */
function abortOf(panel: Panel, signal: AbortSignal | undefined): AbortController {
  const abort = new AbortController();
  const follow = (): void => {
    if (!panel.closed) abort.abort();
  };
  if (signal?.aborted) follow();
  signal?.addEventListener('abort', follow, { once: true });
  return abort;
}

/** Gathers progress and hands it on every so often, the last by `flush`. */
function collector(deliver: (progress: { stage: string; fraction: number }, measured: MeasuredEffects[]) => void): { take: NonNullable<CallOptions['onProgress']>; flush(): void } {
  let latest: { stage: string; fraction: number } | undefined;
  let measured: MeasuredEffects[] = [];
  let next = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!latest) return;
    const [progress, effects] = [latest, measured];
    latest = undefined;
    measured = [];
    const start = Date.now();
    deliver(progress, effects);
    next = start + Math.max(INTERVAL, SHARE * (Date.now() - start));
  };
  const take: NonNullable<CallOptions['onProgress']> = (progress) => {
    latest = { stage: progress.stage, fraction: progress.fraction };
    if (progress.measured) measured.push(progress.measured);
    timer ??= setTimeout(flush, Math.max(0, next - Date.now()));
  };
  return { take, flush };
}

function joined(measured: readonly MeasuredEffects[]): MeasuredEffects {
  const effects = new Float32Array(measured.reduce((sum, part) => sum + part.effects.length, 0));
  let at = 0;
  for (const part of measured) {
    effects.set(part.effects, at);
    at += part.effects.length;
  }
  return { cells: measured.flatMap(({ cells }) => cells), effects };
}

function titleOf(cells: readonly PatchCell[], { title }: RunManifest): string {
  return `Verifying ${cells.length === 1 ? '1 cell' : `${cells.length} cells`} of ${title}`;
}

/** With a way to cancel where it will take a while; what is quick only shows in the status bar. */
function withNotification<T>(title: string, seconds: number, abort: AbortController, work: (notify: (stage: string, fraction: number) => void) => Promise<T>): Promise<T> {
  if (seconds < WORTH_A_NOTIFICATION_SECONDS) return work(() => undefined);
  const options = { location: vscode.ProgressLocation.Notification, title: withoutLinks(title), cancellable: true };
  return Promise.resolve(
    vscode.window.withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => abort.abort());
      let reported = 0;
      return work((stage, fraction) => {
        progress.report({ message: `${stage}, ${Math.round(fraction * 100)} %`, increment: Math.max(0, fraction - reported) * 100 });
        reported = Math.max(reported, fraction);
      });
    }),
  );
}
