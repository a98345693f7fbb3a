import { open } from 'node:fs/promises';
import path from 'node:path';
import { storedCircuit } from '../runner/circuits/extract';
import { writeRunFile } from '../runs/file';
import { CircuitError } from '../shared/errors';
import { maskSize } from '../shared/graph/mask';
import { fromMib, LARGEST_GRAPH } from '../shared/graph/mib';
import { shapeOf } from '../shared/graph/stored';
import { metricTitle } from '../shared/metrics';
import type { Run } from '../shared/run';
import { circuitJson } from './circuitJson';
import { circuitReport, selectionOf, type CircuitReport, type FoundCircuit } from './circuitReport';
import { circuitTables } from './circuitTables';
import { usage } from './flags';
import type { CircuitCommand } from './graphArguments';
import { viewOf } from './json';
import { exportCircuit, openGraphRun, withEdges } from './openEdges';
import { openRun, type OpenRun } from './openRun';
import type { Surroundings } from './prepare';

/**
 * Finds a circuit in a run's edges (or reads one), runs it on the run's pairs and on held-out ones, and answers what else is asked
 * of it. Throws what `attribute` throws, `experiment` for an import that does not fit the model, and `run-file`, `storage`.
 */
export async function circuit(command: CircuitCommand, surroundings: Surroundings): Promise<void> {
  const { print, folder } = surroundings;
  const opened = await openGraphRun(command, surroundings);
  // What is wrong with the words is told before anything is computed.
  selectionOf(command, opened.run);
  const view = viewOf(opened.run.manifest, command.raw);
  const imported = command.importFrom === undefined ? undefined : importedFrom(command, opened.run, await readGraph(command.importFrom, folder));
  const heldOut = command.evaluate === undefined ? undefined : await openHeldOut(command, command.evaluate, opened.run, surroundings);
  // An imported circuit is run as it is: only what chooses edges, or says what they score, needs scores.
  const run = imported && !command.curve && command.exportTo === undefined ? opened.run : await withEdges(opened, command, surroundings);
  const report = await circuitReport(command, { ...opened, run }, imported, heldOut, view, surroundings);
  const kept = withCircuit(report);
  if (command.out !== undefined) await writeRunFile(path.resolve(folder, command.out), kept);
  const last = report.circuits.at(-1);
  if (command.exportTo !== undefined && last) await exportCircuit(command.exportTo, kept, last.mask, view, surroundings);
  print(command.json ? `${JSON.stringify(circuitJson(report))}\n` : circuitTables(report, command.top));
}

/** The text of a graph file. Throws `experiment` when it is not there or too large to be one. */
export async function readGraph(name: string, folder: string): Promise<string> {
  const refuse = (why: string, cause?: unknown): CircuitError => new CircuitError('experiment', `${name}: ${why}`, { cause });
  try {
    const handle = await open(path.resolve(folder, name), 'r');
    try {
      const { size } = await handle.stat();
      if (size > LARGEST_GRAPH) throw refuse(`This graph cannot be imported: it has ${Math.round(size / 1e6)} MB, the largest that is read is ${LARGEST_GRAPH / 1e6} MB.`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (CircuitError.is(cause)) throw cause;
    throw refuse((cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file.' : `the file could not be read (${String(cause)}).`, cause);
  }
}

function importedFrom({ importFrom, name }: CircuitCommand, run: Run, text: string): FoundCircuit {
  const file = path.basename(importFrom!);
  try {
    const { mask, scores } = fromMib(text, run.manifest.model);
    if (maskSize(mask) === 0) throw new CircuitError('experiment', 'This graph cannot be imported: none of its edges is in the circuit ("in_graph": true).');
    return { kind: 'imported', name: name ?? file, origin: `imported from ${file}`, mask, chosen: maskSize(mask), ...(scores && { fileScores: { file, scores } }) };
  } catch (error) {
    if (!CircuitError.is(error, 'experiment')) throw error;
    throw new CircuitError('experiment', `${importFrom}: ${error.message}`, { cause: error.cause });
  }
}

/** Pairs that had no part in finding the circuit, run with the same model. Throws `usage` for a run of another one. */
async function openHeldOut(command: CircuitCommand, file: string, run: Run, surroundings: Surroundings): Promise<OpenRun> {
  const { model, experiment } = run.manifest;
  const isStored = /\.safetensors$/i.test(file);
  const flags = isStored ? { overrides: {}, variant: undefined } : {};
  const heldOut = await openRun({ ...command, ...flags, file, pairs: [], model: command.model ?? experiment.model ?? model.id }, surroundings, () => []);
  if (heldOut.run.manifest.model.checkpointHash !== model.checkpointHash) {
    throw usage(`${file} is of the model ${heldOut.run.manifest.model.id}, ${command.file} of ${model.id}: a circuit is measured in the model that it was found in.`);
  }
  const [theirs, ours] = [heldOut.run, run].map(({ manifest }) => `${metricTitle(manifest.experiment.metric)}, ${manifest.prependBos ? 'with' : 'no'} BOS`);
  if (theirs !== ours) surroundings.warn(`${file} is run otherwise than ${command.file}: ${theirs}, not ${ours}.\n`);
  return heldOut;
}

/** The run with the last circuit among its own, in place of one of the same name. */
function withCircuit({ run, circuits, measured }: CircuitReport): Run {
  const last = circuits.at(-1);
  if (!last) return run;
  const { faithfulness } = measured.find(({ circuit, on }) => circuit === last && on === run)!;
  const stored = storedCircuit(shapeOf(run), last.mask, { name: last.name, origin: last.origin, createdAt: new Date() }, faithfulness);
  const others = (run.manifest.circuits ?? []).filter(({ name }) => name !== last.name);
  return { ...run, manifest: { ...run.manifest, circuits: [...others, stored] } };
}
