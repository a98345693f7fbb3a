import * as vscode from 'vscode';
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
}

export interface PanelWorkDependencies {
  runner: Pick<ExperimentRunner, 'attention' | 'lens' | 'predictions'>;
  attributions: Attributions;
  verifications: Verifications;
  log: Log;
}

const PREDICTIONS = 10;
/** Floats of attention in one message, about 8 MB: more takes a webview seconds to receive. */
const MOST_FLOATS = 2_000_000;
/** Of a file that is suggested; some file systems take no more than 255 bytes. */
const LONGEST_NAME = 150;
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
  const csv = mapCsv(run, map, options);
  const { manifest } = run;
  const of = map.over === 'positions' ? 'positions' : map.over === 'last' ? 'heads-last' : 'heads';
  const pair = options.pair === 'all' ? '' : `-${manifest.pairs[options.pair]!.name}${options.of === 'pair' ? '' : '-share'}`;
  const name = `${manifest.title.replace('.prompts.json', '')}-${map.site}-${of}${pair}-${options.unit}-${[manifest.experiment.direction, ...departuresOf(manifest)].join('-')}`.replace(/[^\p{L}\p{N}_.-]+/gu, '-').slice(0, LONGEST_NAME);
  const folder = manifest.source ? vscode.Uri.joinPath(vscode.Uri.parse(manifest.source.uri), '..') : vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: 'Export map',
    filters: { CSV: ['csv'] },
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, `${name}.csv`) }),
  });
  if (!file) return;
  try {
    await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(csv));
  } catch (cause) {
    throw new CircuitError('storage', `${file.fsPath} could not be written. Is its folder writable?`, { cause });
  }
}
