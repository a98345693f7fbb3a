import type { ExperimentRunner } from '../runner/runner';
import { mapCsv } from '../runs/mapCsv';
import { CircuitError } from '../shared/errors';
import type { ExperimentChange, PanelAction, Predictions, RunningVerification } from '../shared/panelProtocol';
import type { AttentionResult, CallOptions, LensResult, PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import type { MapOf, ViewOptions } from '../shared/views';
import type { Attributions } from './attributions';
import { departuresOf } from './departures';
import type { Log } from './log';
import type { Panel } from './panel';
import { actOfPanel, changedAttribution } from './panelActions';
import type { PathAnswers } from './pathAnswers';
import { saveTextOf } from './saveText';
import { settingsOfRun } from './settings';
import type { Verifications } from './verifications';

/** What a panel asks of the rest of the editor. */
export interface PanelWork {
  act(action: PanelAction, panel: Panel): Promise<void>;
  verify(panel: Panel, run: Run, cells: readonly PatchCell[], call: CallOptions): Promise<void>;
  cancelVerifying(runId: string): Promise<void>;
  /** What is being verified of a run; undefined when nothing is. */
  verifying(runId: string): RunningVerification | undefined;
  rerunWith(panel: Panel, change: ExperimentChange): Promise<void>;
  attention(run: Run, of: { pair: number; layer: number; heads: number[] }, call: CallOptions): Promise<AttentionResult>;
  lens(run: Run, call: CallOptions): Promise<LensResult>;
  predictions(run: Run, pair: number, call: CallOptions): Promise<Predictions>;
  exportMap(run: Run, view: { map: MapOf; options: ViewOptions }): Promise<void>;
  /** For the Paths view. */
  pathAnswers(): PathAnswers;
}

export interface PanelWorkDependencies {
  runner: Pick<ExperimentRunner, 'attention' | 'lens' | 'predictions'>;
  attributions: Attributions;
  verifications: Verifications;
  pathAnswers: PathAnswers;
  log: Log;
}

const PREDICTIONS = 10;
/** Floats of attention in one message, about 8 MB: more takes a webview seconds to receive. */
const MOST_FLOATS = 2_000_000;
/** See AttentionResult: clean, other, base, attribution. */
const MATRICES = 4;

/** `dependencies` is asked late: panels and what runs in them know each other. */
export function createPanelWork(dependencies: () => PanelWorkDependencies): PanelWork {
  return {
    act: (action, panel) => actOfPanel(action, panel, dependencies()),
    verify: (panel, run, cells, call) => dependencies().verifications.verify({ run, panel, cells }, call),
    cancelVerifying: (runId) => dependencies().verifications.cancel(runId),
    verifying: (runId) => dependencies().verifications.running(runId),
    rerunWith: async (panel, change) => {
      // Not awaited: the panel follows the run by its content.
      void dependencies().attributions.runAll([changedAttribution(panel, change)]);
    },
    attention: async (run, { pair, layer, heads }, call) => {
      checkSize(heads.length, run.manifest.pairs[pair]!.clean.length);
      return dependencies().runner.attention({ run, settings: settingsOfRun(run.manifest), pair, layer, heads }, call);
    },
    lens: (run, call) => dependencies().runner.lens({ run, settings: settingsOfRun(run.manifest) }, call),
    predictions: (run, pair, call) => dependencies().runner.predictions({ run, settings: settingsOfRun(run.manifest), pair, top: PREDICTIONS }, call),
    exportMap,
    pathAnswers: () => dependencies().pathAnswers,
  };
}

function checkSize(heads: number, length: number): void {
  const most = Math.floor(MOST_FLOATS / (MATRICES * length * length));
  if (heads <= most) return;
  const advice = most > 0 ? `Choose ${most === 1 ? 'one head' : `${most} heads`} at a time.` : 'Use a shorter prompt.';
  throw new CircuitError('too-big', `The attention of ${heads === 1 ? 'a head' : `${heads} heads`} over ${length} tokens is too much to show. ${advice}`);
}

/** Asks for a file and writes the map as CSV; does nothing when the person leaves. */
async function exportMap(run: Run, { map, options }: { map: MapOf; options: ViewOptions }): Promise<void> {
  const { manifest } = run;
  const of = map.over === 'positions' ? 'positions' : map.over === 'last' ? 'heads-last' : 'heads';
  const pair = options.pair === 'all' ? '' : `-${manifest.pairs[options.pair]!.name}${options.of === 'pair' ? '-own' : '-share'}`;
  const name = `${map.site}-${of}${pair}-${options.unit}-${[manifest.experiment.direction, ...departuresOf(manifest)].join('-')}`;
  await saveTextOf(manifest, { title: 'Export map', name, kind: ['CSV', 'csv'], text: () => mapCsv(run, map, options) });
}
