import type * as vscode from 'vscode';
import type { RunStore } from '../runs/store';
import { CircuitError } from '../shared/errors';
import type { CallOptions } from '../shared/results';
import type { Run } from '../shared/run';
import { keepRun } from './keepRun';
import type { Log } from './log';
import type { Panel } from './panel';
import type { Panels } from './panels';
import { withNotification } from './progressNotification';
import type { RunIndex } from './runIndex';
import type { StatusBar } from './statusBar';

/**
 * Runs that something is being done with: cells or edges measured, edges attributed, circuits extracted. Each is here once, with
 * all that was added so far, so that works that go on at the same time do not lose what the others add.
 */
export interface RunsAtWork {
  /**
   * Does a piece of work on a run, told in the status bar and, where it takes long, in a notification with a way to cancel. It goes
   * on when the panel is hidden or closed, or shows another run, unless it `endsWithPanel`. Throws what the work throws.
   */
  work<T>(job: RunJob, call: CallOptions, work: (open: RunAtWork) => Promise<T>): Promise<T>;
  /** Adds to a run what takes no time, and saves it. Those who show it are told at once, but for the panel that it comes from, unless `telling` all. */
  keep(subject: Pick<RunJob, 'run' | 'panel'>, change: (run: Run) => Run, options?: { telling: 'all' | 'others' }): Promise<void>;
  /** Stops all that is being done with a run; when it resolves, what there was to save is saved. */
  cancel(runId: string): Promise<void>;
  /** The run with all that was added so far, while something is being done with it. */
  current(runId: string): Run | undefined;
  /** A run as it is by now, after a person was asked something: the panel may show another, and of this one there may be more. */
  latest(subject: Pick<RunJob, 'run' | 'panel'>): Promise<Run>;
}

export interface RunJob {
  run: Run;
  panel: Panel;
  /** "Verifying 3 cells of ioi". */
  title: string;
  /** Expected, where that is known. */
  seconds?: number;
  /** Nothing of it is kept: its answer goes to the panel alone. */
  endsWithPanel?: true;
}

/** What a piece of work sees of its run. */
export interface RunAtWork {
  /** With all that anyone has added so far. */
  readonly run: Run;
  /** Adds to the run, wherever it is shown. */
  add(change: (run: Run) => Run): void;
  /** The same with something that panels list (edges, circuits, notes), which they are told at once. Saved. */
  keep(change: (run: Run) => Run): Promise<void>;
  save(): Promise<void>;
  /** Those who show the run ask for it anew: what is said of it beside its numbers has changed. */
  tell(): void;
  report(stage: string, fraction: number, done?: number): void;
  /** What the runner is called with: progress is told as it comes. */
  readonly call: Required<CallOptions>;
  /** Stops this work. */
  cancel(): void;
  /** Resolves at its end, when it is saved. */
  readonly ended: Promise<void>;
}

export interface RunsAtWorkDependencies {
  store: RunStore;
  runIndex: RunIndex;
  panels: Pick<Panels, 'all'>;
  statusBar: StatusBar;
  log: Log;
  /** VS Code's own by default. */
  withProgress?: typeof vscode.window.withProgress;
}

interface Open {
  run: Run;
  works: Set<RunAtWork>;
  /** Works, and what is only being saved. */
  users: number;
  saving: Promise<void>;
}

export function createRunsAtWork(dependencies: RunsAtWorkDependencies): RunsAtWork {
  const { panels, statusBar, log, withProgress } = dependencies;
  const open = new Map<string, Open>();

  const begin = (run: Run): Open => {
    const { id } = run.manifest;
    const live: Open = open.get(id) ?? { run, works: new Set(), users: 0, saving: Promise.resolve() };
    open.set(id, live);
    live.users++;
    return live;
  };

  const end = (live: Open): void => {
    live.users--;
    if (live.users === 0) open.delete(live.run.manifest.id);
  };

  /** Wherever the run is shown. */
  const showing = (live: Open, panel: Panel): Panel[] => [...new Set([panel, ...panels.all])].filter(({ run }) => run?.manifest.id === live.run.manifest.id);

  // One after the other, so that the last one is what stays.
  const save = (live: Open): Promise<void> => (live.saving = live.saving.then(() => keepRun(live.run, dependencies)));

  const work: RunsAtWork['work'] = async ({ run, panel, title, seconds = 0, endsWithPanel = false }, call, doWork) => {
    const live = begin(run);
    const abort = abortOf(call.signal, () => endsWithPanel || !panel.closed);
    const activity = statusBar.begin();
    const started = Date.now();
    let resolveEnded = (): void => undefined;
    const ended = new Promise<void>((resolve) => (resolveEnded = resolve));
    let hasTold = false;
    const tell = (): void => {
      hasTold = true;
      for (const each of showing(live, panel)) each.update(live.run);
    };

    const openedFor = (notify: (stage: string, fraction: number) => void): RunAtWork => {
      const report: RunAtWork['report'] = (stage, fraction, done) => {
        activity.report(title, stage, fraction);
        notify(stage, fraction);
        call.onProgress?.({ stage, fraction, ...(done !== undefined && { done }) });
      };
      return {
        get run() {
          return live.run;
        },
        add: (change) => {
          live.run = change(live.run);
          tell();
        },
        keep: (change) => {
          live.run = change(live.run);
          showing(live, panel).forEach((each) => each.showChanged(live.run));
          return save(live);
        },
        save: () => save(live),
        tell,
        report,
        call: { signal: abort.signal, onProgress: ({ stage, fraction, done }) => report(stage, fraction, done) },
        cancel: () => abort.abort(),
        ended,
      };
    };

    let own: RunAtWork | undefined;
    try {
      const result = await withNotification({ withProgress, title, seconds, abort }, (notify) => {
        own = openedFor(notify);
        live.works.add(own);
        return doWork(own);
      });
      log.info(`${title}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      if (!CircuitError.is(error, 'cancelled')) log.error(title, error);
      throw error;
    } finally {
      activity.end();
      await live.saving;
      if (own) live.works.delete(own);
      end(live);
      // That it has ended, too.
      if (hasTold) tell();
      resolveEnded();
    }
  };

  const keep: RunsAtWork['keep'] = async ({ run, panel }, change, { telling } = { telling: 'others' }) => {
    const live = begin(run);
    try {
      live.run = change(live.run);
      for (const each of showing(live, panel)) each.showChanged(live.run, { tell: telling === 'all' || each !== panel });
      await save(live);
    } finally {
      end(live);
    }
  };

  return {
    work,
    keep,
    cancel: async (runId) => {
      const works = [...(open.get(runId)?.works ?? [])];
      for (const each of works) each.cancel();
      await Promise.all([...works.map(({ ended }) => ended), open.get(runId)?.saving]);
    },
    current: (runId) => open.get(runId)?.run,
    latest: async ({ run: { manifest: { id } }, panel }) => open.get(id)?.run ?? (panel.run?.manifest.id === id ? panel.run : dependencies.store.load(id)),
  };
}

/** Follows a call's signal; the end of what is kept not by the panel's being closed: the person has asked for numbers, and they are saved. */
function abortOf(signal: AbortSignal | undefined, follows: () => boolean): AbortController {
  const abort = new AbortController();
  const follow = (): void => {
    if (follows()) abort.abort();
  };
  if (signal?.aborted) follow();
  signal?.addEventListener('abort', follow, { once: true });
  return abort;
}
