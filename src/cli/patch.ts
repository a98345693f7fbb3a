import path from 'node:path';
import { writeRunFile } from '../runs/file';
import { arrayNamed } from '../shared/arrays';
import { CircuitError } from '../shared/errors';
import { cellKey, exactLookup, exactOf, withExact } from '../shared/exact';
import { hasGradient, type TextExperiment } from '../shared/experiment';
import type { MeasuredEffects, PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import { DEFAULT_SITES, type SiteName } from '../shared/sites';
import { meanDifference } from '../shared/views';
import type { PatchCommand } from './arguments';
import { working } from './attribute';
import { cellTables, chosenCells, defaultOver, type CellTable } from './cellTables';
import { viewOf } from './json';
import { openRun, type OpenRun } from './openRun';
import { patchJson } from './patchJson';
import { patchTables } from './patchTables';
import type { Surroundings } from './prepare';

/**
 * Exact patching of the strongest cells (or all) of each site, beside their estimates.
 * With --out what was measured is kept also when it is cancelled. Throws what `attribute` throws, and `run-file`.
 */
export async function patch(command: PatchCommand, surroundings: Surroundings): Promise<void> {
  const { print, folder, warn } = surroundings;
  const opened = await openRun(command, surroundings, (experiment) => sitesOf(command, experiment));
  // What cannot be shown need not be measured, unless it is kept.
  if (command.out === undefined) viewOf(opened.run.manifest, command.raw);
  const tables = await tablesOf(opened, command, surroundings);
  const cells = command.sites.flatMap((site) => chosenOf(tables.filter((table) => table.site === site), command));
  const save = async (run: Run): Promise<void> => {
    if (command.out !== undefined) await writeRunFile(path.resolve(folder, command.out), run);
  };
  const { run, error } = await measure(opened, cells, command.file, surroundings);
  await save(run);
  if (error) {
    const known = new Set(exactOf(run).cells.map(cellKey));
    const done = cells.filter((cell) => known.has(cellKey(cell))).length;
    if (command.out !== undefined) warn(`${command.out} keeps what is measured, ${done} of ${cells.length} cells; patch that file to go on from there.\n`);
    throw error;
  }
  const view = viewOf(run.manifest, command.raw);
  const factor = view.unit === 'raw' ? 1 : 1 / meanDifference(run.manifest);
  const shown = tables.map((table) => ({ ...table, ...(table.estimates && { estimates: table.estimates.map((value) => value * factor) }) }));
  const exact = exactLookup(run, view);
  print(command.json ? `${JSON.stringify(patchJson(run, shown, exact, view))}\n` : patchTables(run, shown, exact, view, command.top));
}

/** Without --out only what is listed; a run that is kept has all that the panel shows. Nothing where attribution says nothing. */
function sitesOf({ sites, out, over }: PatchCommand, experiment: TextExperiment): readonly SiteName[] | undefined {
  if (!hasGradient(experiment)) return [];
  const needed = over === 'cells' ? [] : sites;
  if (out === undefined) return needed;
  // Which of the usual sites prompts of unequal lengths have, the runner knows.
  return experiment.align === 'end' ? undefined : [...new Set([...DEFAULT_SITES, ...needed])];
}

/** Tables of all sites, estimates in raw units. */
async function tablesOf(opened: OpenRun, command: PatchCommand, surroundings: Surroundings): Promise<CellTable[]> {
  const { run } = opened;
  const { layers, heads } = run.manifest.model;
  const { head } = command;
  if (head && (head.layer >= layers || head.head >= heads)) {
    throw new CircuitError('usage', `There is no head ${head.layer}.${head.head}; ${run.manifest.model.id} has layers 0 to ${layers - 1} of heads 0 to ${heads - 1}.`);
  }
  const tables = command.sites.flatMap((site) => cellTables(run, site, command.over ?? defaultOver(site), { pair: 'all', unit: 'raw' }, head));
  if (!head || !hasGradient(run.manifest.experiment)) return tables;
  const found: CellTable[] = [];
  for (const table of tables) found.push(table.site === 'pattern' ? { ...table, estimates: await sourceEstimates(opened, table, head, command.file, surroundings) } : table);
  return found;
}

/** Mean over the run's pairs of what each cell of the head's pattern carries, raw. */
async function sourceEstimates({ run, settings }: OpenRun, { group, shape }: CellTable, head: { layer: number; head: number }, label: string, surroundings: Surroundings): Promise<Float32Array> {
  const { pairs, groups } = run.manifest;
  const sums = new Float64Array(shape[0]! * shape[1]!);
  for (const pair of groups[group!]!.pairs) {
    const job = { run, settings, pair, layer: head.layer, heads: [head.head] };
    const { arrays } = await working(label, label, surroundings, (call) => surroundings.runner.attention(job, call));
    arrayNamed(arrays, 'attribution').data.forEach((value, cell) => (sums[cell]! += value));
  }
  return Float32Array.from(sums, (sum) => sum / pairs.length);
}

function chosenOf(tables: readonly CellTable[], { full, top, file }: PatchCommand): PatchCell[] {
  if (full) return chosenCells(tables, 'all');
  if (tables.every(({ estimates }) => estimates)) return chosenCells(tables, top);
  throw new CircuitError('experiment', `${file}: there is no attribution of ${tables[0]!.site} to tell which cells are the strongest; patch all of them with --full.`);
}

/** The run with the effects of these cells; when it was cancelled, with those that came before. */
async function measure({ run, settings }: OpenRun, cells: readonly PatchCell[], label: string, surroundings: Surroundings): Promise<{ run: Run; error?: unknown }> {
  const parts: MeasuredEffects[] = [];
  try {
    const patched = await working(label, label, surroundings, ({ signal, onProgress }) =>
      surroundings.runner.patch({ run, cells, settings }, {
        signal,
        onProgress: (step) => {
          if (step.measured) parts.push(step.measured);
          onProgress(step);
        },
      }),
    );
    return { run: patched };
  } catch (error) {
    if (!CircuitError.is(error, 'cancelled')) throw error;
    return { run: withExact(run, joined(parts)), error };
  }
}

function joined(parts: readonly MeasuredEffects[]): MeasuredEffects {
  return { cells: parts.flatMap(({ cells }) => cells), effects: Float32Array.from(parts.flatMap(({ effects }) => Array.from(effects))) };
}
