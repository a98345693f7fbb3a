import * as vscode from 'vscode';
import type { ExperimentRunner } from '../runner/runner';
import { Queue } from '../runner/queue';
import type { RunSettings } from '../runner/settings';
import type { RunStore } from '../runs/store';
import { CircuitError } from '../shared/errors';
import { cellKey, exactOf, patchSeconds, withExact } from '../shared/exact';
import type { RunningVerification } from '../shared/panelProtocol';
import type { CallOptions, MeasuredEffects, PatchCell } from '../shared/results';
import type { Run, RunManifest } from '../shared/run';
import { keepRun } from './keepRun';
import type { Log } from './log';
import type { Panel } from './panel';
import type { Panels } from './panels';
import { withoutLinks } from './plainText';
import { portionsOf } from './portions';
import type { RunIndex } from './runIndex';
import type { StatusBar } from './statusBar';

/** Exact patching of cells of the runs on show. */
export interface Verifications {
  /**
   * Patches cells of a run, in portions in the order given, for a panel that shows or showed it. What is measured is added to the run as it comes, wherever it is
   * shown, and saved in the end, also when it is cancelled: by the call, the notification or `cancel`. Throws what the runner
   * throws. It goes on when the panel is hidden or closed, or shows another run.
   */
  verify(job: { run: Run; panel: Panel; cells: readonly PatchCell[] }, call: CallOptions): Promise<void>;
  /** Stops what is being verified of a run; when it resolves, that is saved. */
  cancel(runId: string): Promise<void>;
  /** How far it is with a run, of several calls the first. */
  running(runId: string): RunningVerification | undefined;
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
  /** VS Code's own by default. */
  withProgress?: typeof vscode.window.withProgress;
}

/** A run of which something is being measured. */
interface Open {
  run: Run;
  jobs: Set<Job>;
}

interface Job {
  cells: number;
  /** Keys of those that are still to be measured. */
  left: Set<string>;
  stage: string;
  fraction: number;
  abort: AbortController;
  ended: Promise<void>;
}

/** Milliseconds between two looks at what was measured: more often than that, drawing would take longer than patching. */
const INTERVAL = 150;
/** Adding to a run copies it: of the time at most one part in so many goes into that. */
const SHARE = 10;
/** Shorter ones only show in the status bar. */
const WORTH_A_NOTIFICATION_SECONDS = 2;

export function createVerifications(dependencies: VerificationDependencies): Verifications {
  const { runner, panels, statusBar, log, settingsOf, saveEvery = 60_000, withProgress = vscode.window.withProgress } = dependencies;
  const open = new Map<string, Open>();
  // One after the other, so that the next one knows what the last one has measured.
  const queue = new Queue();

  const verify: Verifications['verify'] = async ({ run: { manifest }, run, panel, cells }, call) => {
    if (cells.length === 0) return;
    const { id } = manifest;
    const live: Open = open.get(id) ?? { run, jobs: new Set() };
    open.set(id, live);
    const left = unmeasured(live.run, cells);
    const abort = abortOf(panel, call.signal);
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const job: Job = { cells: left.size, left, stage: 'Waiting', fraction: 0, abort, ended };
    live.jobs.add(job);
    const activity = statusBar.begin();
    const title = titleOf(cells, manifest);
    const started = Date.now();

    /** Wherever the run is shown. */
    const show = (): void => {
      for (const each of new Set([panel, ...panels.all])) {
        if (each.run?.manifest.id === id) each.update(live.run);
      }
    };

    /** Adds what was measured to the run. */
    const add = (measured: readonly MeasuredEffects[]): void => {
      if (measured.length === 0) return;
      const all = joined(measured);
      live.run = withExact(live.run, all);
      const keys = all.cells.map(cellKey);
      for (const each of live.jobs) for (const key of keys) each.left.delete(key);
      show();
    };

    const patch = async (report: (stage: string, fraction: number) => void): Promise<void> => {
      const measuredBefore = exactOf(live.run).cells.length;
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
        const wanted = unmeasured(live.run, cells);
        const portions = portionsOf(cells.filter((cell) => wanted.has(cellKey(cell))));
        let before = 0;
        for (const portion of portions) {
          const [from, share] = [before / wanted.size, portion.length / wanted.size];
          const onProgress: CallOptions['onProgress'] = (progress) => arriving.take({ ...progress, fraction: from + share * progress.fraction });
          const { run } = live;
          const patched = await runner.patch({ run, cells: portion, settings: settingsOf(run.manifest) }, { signal: abort.signal, onProgress });
          arriving.flush();
          add([exactOf(patched)]);
          before += portion.length;
        }
      } finally {
        arriving.flush();
        if (exactOf(live.run).cells.length > measuredBefore) await save();
      }
    };

    try {
      await withNotification({ withProgress, title, seconds: patchSeconds(manifest, cells), abort }, (notify) => {
        const report = (stage: string, fraction: number): void => {
          Object.assign(job, { stage, fraction });
          activity.report(title, stage, fraction);
          notify(stage, fraction);
          call.onProgress?.({ stage, fraction, done: job.cells - left.size });
          show();
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
      live.jobs.delete(job);
      if (live.jobs.size === 0) open.delete(id);
      show();
      end();
    }
  };

  return {
    verify,
    cancel: async (runId) => {
      const jobs = [...(open.get(runId)?.jobs ?? [])];
      for (const { abort } of jobs) abort.abort();
      await Promise.all(jobs.map(({ ended }) => ended));
    },
    running: (runId) => {
      const [job] = open.get(runId)?.jobs ?? [];
      return job && { cells: job.cells, done: job.cells - job.left.size, stage: job.stage, fraction: job.fraction };
    },
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

/** Keys of the cells that a run has not measured. */
function unmeasured(run: Run, cells: readonly PatchCell[]): Set<string> {
  const wanted = new Set(cells.map(cellKey));
  for (const cell of exactOf(run).cells) wanted.delete(cellKey(cell));
  return wanted;
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

interface Notified {
  withProgress: typeof vscode.window.withProgress;
  title: string;
  /** Expected. */
  seconds: number;
  abort: AbortController;
}

/** With a way to cancel where it will take a while, or takes longer than it should have; what is quick only shows in the status bar. */
function withNotification<T>({ withProgress, title, seconds, abort }: Notified, work: (notify: (stage: string, fraction: number) => void) => Promise<T>): Promise<T> {
  const options = { location: vscode.ProgressLocation.Notification, title: withoutLinks(title), cancellable: true };
  let latest: [stage: string, fraction: number] = ['', 0];
  let tell = (): void => undefined;
  const working = work((...progress) => {
    latest = progress;
    tell();
  });
  const ended = working.then(
    () => undefined,
    () => undefined,
  );
  const start = (): void =>
    void withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => abort.abort());
      let reported = 0;
      tell = () => {
        const [stage, fraction] = latest;
        progress.report({ message: `${stage}, ${Math.round(fraction * 100)} %`, increment: Math.max(0, fraction - reported) * 100 });
        reported = Math.max(reported, fraction);
      };
      tell();
      return ended;
    });
  const timer = setTimeout(start, seconds < WORTH_A_NOTIFICATION_SECONDS ? WORTH_A_NOTIFICATION_SECONDS * 1000 : 0);
  return working.finally(() => clearTimeout(timer));
}
