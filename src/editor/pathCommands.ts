import * as vscode from 'vscode';
import { OTHERS, type Other } from '../shared/experiment';
import { edgeMethodWords } from '../shared/graph/methodWords';
import { edgeCount } from '../shared/graph/nodes';
import { shapeOf } from '../shared/graph/stored';
import { OTHER_WORDS } from '../shared/otherSide';
import { DEFAULT_EDGE_METHOD, type EdgeMethod } from '../shared/paths';
import type { Run } from '../shared/run';
import { capitalised, plural } from '../shared/text';
import { isAlone, type ViewOptions } from '../shared/views';
import { GRAPH_FILES } from './graphFiles';
import { checkEdges, selectedCircuit } from './graphModel';
import type { Panels } from './panels';
import type { PathAnswers } from './pathAnswers';
import { GRAPH_FORMATS, readEdgeMethod, readExtraction } from './pathsMessages';
import { runInFront } from './runInFront';
import type { RunsAtWork } from './runsAtWork';

/** Commands on the edges and circuits of the run in front. What they are not told, they ask. */
export interface PathCommandDependencies {
  panels: Pick<Panels, 'all'>;
  runsAtWork: Pick<RunsAtWork, 'latest'>;
  pathAnswers: PathAnswers;
}

/** The mean over all pairs, by which the order of edges is the same whatever the unit. */
const WHOLE: ViewOptions = { pair: 'all', unit: 'raw' };
/** Of the graph's edges, what is suggested. */
const USUAL_SHARE = 0.05;

const METHODS: readonly EdgeMethod[] = [DEFAULT_EDGE_METHOD, {}, { bothGradients: true }];

export async function attributeEdges(method: unknown, { panels, runsAtWork, pathAnswers }: PathCommandDependencies): Promise<void> {
  const { run, panel } = runInFront(panels);
  const chosen = method === undefined ? await pick('Attribute edges: how?', METHODS.map((each) => ({ label: edgeMethodWords(each), value: each }))) : readEdgeMethod(method);
  if (!chosen) return;
  await pathAnswers.paths.computePaths({ run: await runsAtWork.latest({ run, panel }), panel }, chosen, {});
}

/** `wanted`: selection, prune, ablation and name, as the Paths view asks for them. */
export async function extractCircuit(wanted: unknown, { panels, runsAtWork, pathAnswers }: PathCommandDependencies): Promise<void> {
  const { run, panel } = runInFront(panels);
  checkEdges(run);
  const request = wanted === undefined ? await askExtraction(run) : readExtraction({ ...(wanted as object), runId: run.manifest.id, options: WHOLE }, run);
  if (!request) return;
  await pathAnswers.circuits.extractCircuit({ run: await runsAtWork.latest({ run, panel }), panel }, request, {});
}

export async function importCircuit({ panels, pathAnswers }: PathCommandDependencies): Promise<void> {
  const { run, panel } = runInFront(panels);
  const ablation = await askAblation(run);
  if (ablation) await pathAnswers.files.importCircuit({ run, panel }, ablation, {});
}

export async function exportGraph({ panels, runsAtWork, pathAnswers }: PathCommandDependencies): Promise<void> {
  const { run, panel } = runInFront(panels);
  checkEdges(run);
  const { circuits = [] } = run.manifest;
  const whole: vscode.QuickPickItem & { value: 'graph' | number } = { label: 'The whole graph', value: 'graph' };
  const which = circuits.length === 0 ? whole.value : await pick('Export graph: what of it?', [whole, ...circuits.map(({ name, edges }, value) => ({ label: name, description: plural(edges.length, 'edge'), value }))]);
  if (which === undefined) return;
  const format = await pick('Export graph: in which format?', GRAPH_FORMATS.map((value) => ({ label: GRAPH_FILES[value].name, description: `.${GRAPH_FILES[value].extension}`, value })));
  if (!format) return;
  await pathAnswers.files.exportGraph(await runsAtWork.latest({ run, panel }), { options: WHOLE, format, ...(which !== 'graph' && { circuit: which }) });
}

async function askExtraction(run: Run): Promise<Parameters<PathAnswers['circuits']['extractCircuit']>[1] | undefined> {
  const total = edgeCount(shapeOf(run));
  const edges = await askEdges(run, total);
  if (edges === undefined) return undefined;
  const ablation = await askAblation(run);
  return ablation && { options: WHOLE, selection: { by: 'top', edges }, prune: true, ablation, name: `top ${edges}` };
}

/** What would be left after pruning stands under the number. */
async function askEdges(run: Run, total: number): Promise<number | undefined> {
  const read = (value: string): number | undefined => {
    const edges = Number(value);
    return Number.isSafeInteger(edges) && edges >= 1 && edges <= total ? edges : undefined;
  };
  const value = await vscode.window.showInputBox({
    title: 'Extract circuit: of how many of the strongest edges?',
    // The panel in front takes the focus back a moment after the palette has closed.
    ignoreFocusOut: true,
    value: String(Math.max(1, Math.floor(total * USUAL_SHARE))),
    validateInput: (text) => {
      const edges = read(text);
      if (edges === undefined) return `Write a whole number from 1 to ${total}.`;
      const { edges: left, nodes } = selectedCircuit(run, { options: WHOLE, selection: { by: 'top', edges }, prune: true });
      return { message: `${plural(left, 'edge')} between ${plural(nodes, 'node')} on a path from the input to the logits.`, severity: vscode.InputBoxValidationSeverity.Info };
    },
  });
  return value === undefined ? undefined : read(value);
}

/** What stands on the edges outside of the circuit. */
function askAblation(run: Run): Promise<Other | undefined> {
  const usable = OTHERS.filter((other) => other !== 'corrupted' || !isAlone(run.manifest));
  return pick('What stands on the edges outside of the circuit?', usable.map((value) => ({ label: capitalised(OTHER_WORDS[value].name), description: OTHER_WORDS[value].explained, value })));
}

async function pick<T>(title: string, items: readonly (vscode.QuickPickItem & { value: T })[]): Promise<T | undefined> {
  return (await vscode.window.showQuickPick(items, { title, ignoreFocusOut: true }))?.value;
}
