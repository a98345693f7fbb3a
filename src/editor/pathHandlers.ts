import type { PathsHost } from '../shared/pathsProtocol';
import type { Handlers, ServedCall } from '../shared/rpc';
import type { Run } from '../shared/run';
import { edgePositionsOf, edgesToPatch, GraphPages, overlapOfCircuits, selectedCircuit } from './graphModel';
import type { Panel } from './panel';
import type { PathAnswers } from './pathAnswers';
import * as read from './pathsMessages';

/** A method about the run on show: its parameters are checked first. */
export type OfRun = <P, A>(check: (params: unknown, run: Run) => P, answer: (run: Run, params: P, call: ServedCall) => A | Promise<A>) => (params: unknown, call: ServedCall) => Promise<A>;

/** `answers` is asked late: panels and what runs in them know each other. */
export function pathHandlers(panel: Panel, ofRun: OfRun, answers: () => PathAnswers): Handlers<PathsHost> {
  const pages = new GraphPages();
  return {
    computePaths: ofRun(read.readEdgeMethodOf, (run, method, call) => answers().paths.computePaths({ run, panel }, method, call)),
    graph: ofRun(read.readGraphRequest, (run, request) => pages.page(run, request)),
    edgePositions: ofRun(read.readEdgeRequest, async (run, request, call) => edgePositionsOf(run, request, await answers().paths.edgePositions({ run, panel }, request.edge, call))),
    patchPaths: ofRun(read.readPathsRequest, (run, request, call) => {
      const { mode } = request;
      return panel.followed(() => answers().paths.patchPaths({ run, panel }, { mode, edges: edgesToPatch(run, request) }, call));
    }),
    selectCircuit: ofRun(read.readSelectionRequest, selectedCircuit),
    extractCircuit: ofRun(read.readExtraction, (run, request, call) => answers().circuits.extractCircuit({ run, panel }, request, call)),
    circuitCurve: ofRun(read.readCurveRequest, (run, request, call) => answers().circuits.circuitCurve({ run, panel }, request, call)),
    circuitMinimality: ofRun(read.readCircuit, (run, circuit, call) => answers().circuits.circuitMinimality({ run, panel }, circuit, call)),
    refineCircuit: ofRun(read.readRefinement, (run, request, call) => answers().circuits.refineCircuit({ run, panel }, request, call)),
    circuitStability: ofRun(read.readStabilityRequest, (run, request, call) => answers().circuits.circuitStability({ run, panel }, request, call)),
    circuitOverlap: ofRun(read.readTwoCircuits, overlapOfCircuits),
    removeCircuit: ofRun(read.readCircuit, (run, circuit) => answers().circuits.removeCircuit({ run, panel }, circuit)),
    exportGraph: ofRun(read.readGraphExport, (run, request) => answers().files.exportGraph(run, request)),
    importCircuit: ofRun(read.readAblation, (run, ablation, call) => answers().files.importCircuit({ run, panel }, ablation, call)),
    keepGraphNotes: ofRun(read.readGraphNotes, (run, notes) => answers().paths.keepGraphNotes({ run, panel }, notes)),
  };
}
