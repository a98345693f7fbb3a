import type { ExperimentRunner } from '../runner/runner';
import { Queue } from '../runner/queue';
import type { RunSettings } from '../runner/settings';
import { cellKey, exactOf, patchSeconds, withExact } from '../shared/exact';
import type { RunningVerification } from '../shared/panelProtocol';
import type { CallOptions, MeasuredEffects, PatchCell } from '../shared/results';
import type { Run, RunManifest } from '../shared/run';
import { gatherProgress } from './gatheredProgress';
import type { Panel } from './panel';
import { portionsOf } from './portions';
import type { RunAtWork, RunsAtWork } from './runsAtWork';

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
}

export interface VerificationDependencies {
  runner: Pick<ExperimentRunner, 'patch'>;
  runsAtWork: RunsAtWork;
  settingsOf(run: RunManifest): RunSettings;
  /** Milliseconds between two saves of a run that is being measured; a minute by default. */
  saveEvery?: number;
}

interface Job {
  cells: number;
  /** Keys of those that are still to be measured. */
  left: Set<string>;
  stage: string;
  fraction: number;
  open: RunAtWork;
}

/** By estimate. What a person asks of a run that is being verified waits for one portion at most; shorter ones cost more than they give. */
const LONGEST_PORTION_SECONDS = 30;

export function createVerifications({ runner, runsAtWork, settingsOf, saveEvery = 60_000 }: VerificationDependencies): Verifications {
  const jobs = new Map<string, Set<Job>>();
  // One after the other, so that the next one knows what the last one has measured.
  const queue = new Queue();

  const patch = async (cells: readonly PatchCell[], open: RunAtWork, add: (measured: readonly MeasuredEffects[]) => void, report: (stage: string, fraction: number) => void): Promise<void> => {
    const measuredBefore = exactOf(open.run).cells.length;
    let saved = Date.now();
    const arriving = gatherProgress(
      ({ measured }) => measured,
      ({ stage, fraction }, measured) => {
        add(measured);
        report(stage, fraction);
        // An editor that is closed, or dies, takes no more than this with it.
        if (measured.length === 0 || Date.now() - saved < saveEvery) return;
        saved = Date.now();
        void open.save();
      },
    );
    try {
      const wanted = unmeasured(open.run, cells);
      const left = cells.filter((cell) => wanted.has(cellKey(cell)));
      const portions = portionsOf(left, Math.floor((LONGEST_PORTION_SECONDS * left.length) / patchSeconds(open.run.manifest, left)));
      let before = 0;
      for (const portion of portions) {
        const [from, share] = [before / wanted.size, portion.length / wanted.size];
        const onProgress: CallOptions['onProgress'] = (progress) => arriving.take({ ...progress, fraction: from + share * progress.fraction });
        const { run } = open;
        const patched = await runner.patch({ run, cells: portion, settings: settingsOf(run.manifest) }, { signal: open.call.signal, onProgress });
        arriving.flush();
        add([exactOf(patched)]);
        before += portion.length;
      }
    } finally {
      arriving.flush();
      if (exactOf(open.run).cells.length > measuredBefore) await open.save();
    }
  };

  const verify: Verifications['verify'] = async ({ run: { manifest }, run, panel, cells }, call) => {
    if (cells.length === 0) return;
    const { id } = manifest;
    await runsAtWork.work({ run, panel, title: titleOf(cells, manifest), seconds: patchSeconds(manifest, cells) }, call, async (open) => {
      const left = unmeasured(open.run, cells);
      const job: Job = { cells: left.size, left, stage: 'Waiting', fraction: 0, open };
      const ofRun = jobs.get(id) ?? new Set();
      jobs.set(id, ofRun.add(job));
      const report = (stage: string, fraction: number): void => {
        Object.assign(job, { stage, fraction });
        open.report(stage, fraction, job.cells - left.size);
        open.tell();
      };
      const add = (measured: readonly MeasuredEffects[]): void => {
        if (measured.length === 0) return;
        const all = joined(measured);
        const keys = all.cells.map(cellKey);
        for (const each of ofRun) for (const key of keys) each.left.delete(key);
        open.add((current) => withExact(current, all));
      };
      try {
        report('Waiting', 0);
        await queue.run(() => patch(cells, open, add, report), { signal: open.call.signal });
      } finally {
        ofRun.delete(job);
        if (ofRun.size === 0) jobs.delete(id);
      }
    });
  };

  return {
    verify,
    cancel: async (runId) => {
      const works = [...(jobs.get(runId) ?? [])].map(({ open }) => open);
      for (const open of works) open.cancel();
      await Promise.all(works.map(({ ended }) => ended));
    },
    running: (runId) => {
      const [job] = jobs.get(runId) ?? [];
      return job && { cells: job.cells, done: job.cells - job.left.size, stage: job.stage, fraction: job.fraction };
    },
  };
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
