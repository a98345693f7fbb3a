import * as vscode from 'vscode';
import { graphText } from '../runs/graphText';
import { CircuitError } from '../shared/errors';
import type { Other } from '../shared/experiment';
import { fullMask, maskSize } from '../shared/graph/mask';
import { edgeMethodWords } from '../shared/graph/methodWords';
import { fromMib, LARGEST_GRAPH } from '../shared/graph/mib';
import { shapeOf } from '../shared/graph/stored';
import type { GraphFormat } from '../shared/pathsProtocol';
import type { CallOptions } from '../shared/results';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import type { CircuitsWork } from './circuitsWork';
import { departuresOf } from './departures';
import { checkEdges, circuitMask } from './graphModel';
import type { Subject } from './pathsWork';
import type { RunsAtWork } from './runsAtWork';
import { folderOf, saveTextOf, type SaveDialog } from './saveText';

/** Graphs and circuits as files: a person chooses where. */
export interface GraphFiles {
  /** The whole graph, or a kept circuit. Nothing is written when the person leaves. */
  exportGraph(run: Run, of: { options: ViewOptions; format: GraphFormat; circuit?: number }): Promise<void>;
  /** Reads the circuit of a graph file, runs it on the run's pairs and keeps it. Throws `experiment` saying why a file is refused. */
  importCircuit(subject: Subject, ablation: Other, call: CallOptions): Promise<void>;
}

export interface GraphFilesDependencies {
  circuits: Pick<CircuitsWork, 'keepForeign'>;
  runsAtWork: Pick<RunsAtWork, 'latest'>;
  /** VS Code's own by default. */
  saveDialog?: SaveDialog;
  openDialog?: typeof vscode.window.showOpenDialog;
}

/** What people call the formats, and their files' extension. */
export const GRAPH_FILES: Readonly<Record<GraphFormat, { name: string; extension: string }>> = {
  mib: { name: 'EAP-IG / MIB graph', extension: 'json' },
  dot: { name: 'Graphviz', extension: 'dot' },
  mermaid: { name: 'Mermaid', extension: 'mmd' },
  csv: { name: 'CSV', extension: 'csv' },
};

export function createGraphFiles({ circuits, runsAtWork, saveDialog, openDialog = vscode.window.showOpenDialog }: GraphFilesDependencies): GraphFiles {
  return {
    exportGraph: async (run, { options, format, circuit }) => {
      checkEdges(run);
      const mask = circuit === undefined ? fullMask(shapeOf(run)) : circuitMask(run, circuit);
      const { manifest } = run;
      const of = circuit === undefined ? 'graph' : manifest.circuits![circuit]!.name;
      const pair = options.pair === 'all' ? [] : [manifest.pairs[options.pair]!.name, options.of === 'pair' ? 'own' : 'share'];
      const details = [of, ...pair, edgeMethodWords(manifest.paths!.method), format === 'mib' ? 'raw' : options.unit, manifest.experiment.direction, ...departuresOf(manifest)];
      const { name, extension } = GRAPH_FILES[format];
      await saveTextOf(manifest, { title: circuit === undefined ? 'Export graph' : 'Export circuit', name: details.join('-'), kind: [name, extension], text: () => graphText(run, format, mask, options) }, saveDialog);
    },
    importCircuit: async ({ run, panel }, ablation, call) => {
      const defaultUri = folderOf(run.manifest);
      const [file] = (await openDialog({ title: 'Import circuit', openLabel: 'Import', filters: { [GRAPH_FILES.mib.name]: [GRAPH_FILES.mib.extension] }, ...(defaultUri && { defaultUri }) })) ?? [];
      if (!file) return;
      const { layers, heads, dModel } = run.manifest.model;
      const { mask } = fromMib(await readGraphFile(file), { layers, heads, dModel });
      const fileName = file.path.split('/').pop()!;
      if (maskSize(mask) === 0) throw new CircuitError('experiment', `No edge of ${fileName} is in its circuit ("in_graph": true): it holds scores alone.`);
      const name = fileName.replace(/\.json$/i, '');
      await circuits.keepForeign({ run: await runsAtWork.latest({ run, panel }), panel }, { mask, ablation, name, origin: `imported from ${fileName}` }, call);
    },
  };
}

/** Its size is looked at before it is read: a wrong choice must not fill the memory. */
async function readGraphFile(file: vscode.Uri): Promise<string> {
  const name = file.path.split('/').pop();
  try {
    const { size } = await vscode.workspace.fs.stat(file);
    if (size > LARGEST_GRAPH) throw new CircuitError('experiment', `${name} has ${Math.round(size / 1e6)} MB; a graph file of at most ${LARGEST_GRAPH / 1e6} MB can be imported.`);
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
  } catch (cause) {
    if (CircuitError.is(cause)) throw cause;
    throw new CircuitError('storage', `${name} could not be read. Is it still there?`, { cause });
  }
}
