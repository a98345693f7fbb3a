import { Queue } from '../runner/queue';
import type { ExperimentRunner } from '../runner/runner';
import type { RunSettings } from '../runner/settings';
import { edgeCount, matrixIndex, type Edge } from '../shared/graph/nodes';
import { measuredPaths, shapeOf, withEdgeScores, withMeasuredPaths } from '../shared/graph/stored';
import type { EdgeMethod, EdgeResult, GraphNotes, MeasuredPaths, PathMode } from '../shared/paths';
import type { CallOptions } from '../shared/results';
import type { Run, RunManifest } from '../shared/run';
import { plural } from '../shared/text';
import { gatherProgress } from './gatheredProgress';
import { checkEdges } from './graphModel';
import type { Panel } from './panel';
import { portionsOf } from './portions';
import type { RunAtWork, RunsAtWork } from './runsAtWork';

/** A run that a panel shows, or showed when it was asked for something. */
export interface Subject {
  run: Run;
  panel: Panel;
}

/** Edges of the runs on show: attributed, by position, measured exactly. What is found is kept with the run, wherever it is shown. */
export interface PathsWork {
  computePaths(subject: Subject, method: EdgeMethod, call: CallOptions): Promise<void>;
  /** Attribution by position of the edges into one receiver. */
  edgePositions(subject: Subject, edge: Edge, call: CallOptions): Promise<EdgeResult>;
  /** What was measured before it is cancelled stays. */
  patchPaths(subject: Subject, of: { mode: PathMode; edges: readonly Edge[] }, call: CallOptions): Promise<void>;
  keepGraphNotes(subject: Subject, notes: GraphNotes): Promise<void>;
}

export interface PathsWorkDependencies {
  runner: Pick<ExperimentRunner, 'paths' | 'pathPositions' | 'patchPaths'>;
  runsAtWork: RunsAtWork;
  settingsOf(run: RunManifest): RunSettings;
  /** Milliseconds between two saves of a run that is being measured; a minute by default. */
  saveEvery?: number;
}

export function createPathsWork({ runner, runsAtWork, settingsOf, saveEvery = 60_000 }: PathsWorkDependencies): PathsWork {
  // One after the other, so that the next one knows what the last one has measured.
  const queue = new Queue();

  const measure = async (open: RunAtWork, mode: PathMode, edges: readonly Edge[]): Promise<void> => {
    const wanted = unmeasured(open.run, mode, edges);
    if (wanted.length === 0) return;
    const measuredIn = (run: Run): number => measuredPaths(run, mode).edges.length;
    const measuredBefore = measuredIn(open.run);
    let saved = Date.now();
    const add = (measured: readonly MeasuredPaths[]): void => {
      if (measured.length > 0) open.add((run) => measured.reduce(withMeasuredPaths, run));
    };
    const arriving = gatherProgress(
      ({ paths }) => paths,
      ({ stage, fraction }, measured) => {
        add(measured);
        open.report(stage, fraction, measuredIn(open.run) - measuredBefore);
        // An editor that is closed, or dies, takes no more than this with it.
        if (measured.length === 0 || Date.now() - saved < saveEvery) return;
        saved = Date.now();
        void open.save();
      },
    );
    try {
      let before = 0;
      for (const portion of portionsOf(wanted)) {
        const [from, share] = [before / wanted.length, portion.length / wanted.length];
        const onProgress: CallOptions['onProgress'] = (progress) => arriving.take({ ...progress, fraction: from + share * progress.fraction });
        const { run } = open;
        const patched = await runner.patchPaths({ run, mode, edges: portion, settings: settingsOf(run.manifest) }, { signal: open.call.signal, onProgress });
        arriving.flush();
        add([measuredPaths(patched, mode)]);
        before += portion.length;
      }
    } finally {
      arriving.flush();
      if (measuredIn(open.run) > measuredBefore) await open.save();
    }
  };

  return {
    computePaths: ({ run, panel }, method, call) => {
      const title = `Attributing ${plural(edgeCount(shapeOf(run)), 'edge')} of ${run.manifest.title}`;
      return runsAtWork.work({ run, panel, title }, call, async (open) => {
        const attributed = await runner.paths({ run: open.run, method, settings: settingsOf(run.manifest) }, open.call);
        // Added to the run as it is by now: more of it may have been measured meanwhile.
        await open.keep((current) => withEdgeScores(current, { arrays: attributed.arrays, seconds: attributed.manifest.paths!.seconds }, method));
      });
    },
    edgePositions: ({ run, panel }, { receiver }, call) => {
      checkEdges(run);
      const title = `Attributing an edge by position of ${run.manifest.title}`;
      return runsAtWork.work({ run, panel, title, endsWithPanel: true }, call, (open) => runner.pathPositions({ run: open.run, receivers: [receiver], settings: settingsOf(run.manifest) }, open.call));
    },
    patchPaths: async ({ run, panel }, { mode, edges }, call) => {
      if (edges.length === 0) return;
      const title = `Patching ${plural(edges.length, 'path')} of ${run.manifest.title}`;
      await runsAtWork.work({ run, panel, title }, call, async (open) => {
        open.report('Waiting', 0, 0);
        await queue.run(() => measure(open, mode, edges), { signal: open.call.signal });
      });
    },
    keepGraphNotes: ({ run, panel }, graph) => runsAtWork.keep({ run, panel }, ({ manifest, arrays }) => ({ manifest: { ...manifest, graph }, arrays })),
  };
}

/** The edges that a run has not measured in this mode, each once. */
function unmeasured(run: Run, mode: PathMode, edges: readonly Edge[]): Edge[] {
  const shape = shapeOf(run);
  const byIndex = new Map(edges.map((edge) => [matrixIndex(shape, edge), edge]));
  for (const edge of measuredPaths(run, mode).edges) byIndex.delete(matrixIndex(shape, edge));
  return [...byIndex.values()];
}
