import type { NamedArrays } from '../shared/arrays';
import { rankCells } from '../shared/ranking';
import { depthName, readoutOf, type Readout, type ReadoutSide } from '../shared/readout';
import type { Run } from '../shared/run';
import type { LensCommand } from './arguments';
import { working } from './attribute';
import { nestedIn, runJson, shortest, type Nested, type RunJson } from './json';
import { openRun } from './openRun';
import type { Surroundings } from './prepare';
import { alignedTable, facts, signed } from './text';

/** What `lens --json` prints, in logits of correct − incorrect. Fields are added, never changed. */
export interface LensJson extends RunJson {
  unit: 'raw';
  /** The rows of `lens`: the residual stream before layer 0, after each attention and after each MLP. */
  depths: string[];
  pairs: { name: string; clean: LensSideJson; corrupted?: LensSideJson }[];
}

/** Heads, MLPs, embed, position and bias add up to the last depth of the lens. */
export interface LensSideJson {
  lens: Nested;
  /** [layer][head]. */
  heads: Nested;
  mlp: Nested;
  embed: Nested;
  position: Nested;
  bias: Nested;
}

const FIRST_TOKEN = '  Of a continuation only the first token is read here, in logits; the metric reads the log-probabilities of all its tokens.';

const SIDES: readonly ReadoutSide[] = ['clean', 'corrupted'];

export async function lens(command: LensCommand, surroundings: Surroundings): Promise<void> {
  const { run, settings } = await openRun(command, surroundings, () => []);
  const { arrays } = await working(command.file, command.file, surroundings, (call) => surroundings.runner.lens({ run, settings }, call));
  surroundings.print(command.json ? `${JSON.stringify(lensJson(run, arrays))}\n` : lensTables(run, arrays, command.top));
}

export function lensJson(run: Run, arrays: NamedArrays): LensJson {
  const { layers } = run.manifest.model;
  return {
    ...runJson(run),
    unit: 'raw',
    depths: Array.from({ length: 2 * layers + 1 }, (_, depth) => depthName(depth)),
    pairs: run.manifest.pairs.map(({ name }, pair) => {
      const corrupted = readoutOf(arrays, 'corrupted', pair);
      return { name, clean: sideJson(readoutOf(arrays, 'clean', pair)!), ...(corrupted && { corrupted: sideJson(corrupted) }) };
    }),
  };
}

function sideJson({ lens, heads, mlp, embed, position, bias }: Readout): LensSideJson {
  return {
    lens: lens.map(shortest),
    heads: nestedIn([heads.rows, heads.columns], heads.values),
    mlp: mlp.map(shortest),
    embed: shortest(embed),
    position: shortest(position),
    bias: shortest(bias),
  };
}

function lensTables(run: Run, arrays: NamedArrays, top: number): string {
  const sides = SIDES.flatMap((name) => {
    const readout = readoutOf(arrays, name, 'all');
    return readout ? [{ name, readout }] : [];
  });
  const names = sides.map(({ name }) => name);
  const columns = (read: (readout: Readout) => number): string[] => sides.map(({ readout }) => signed(read(readout)));
  const { lens: depths, heads, mlp } = sides[0]!.readout;
  const lensRows = depths.map((_, depth) => [depthName(depth), ...columns((readout) => readout.lens[depth]!)]);
  const headRows = rankCells(heads)
    .slice(0, top)
    .map(({ row, column }) => [`${row}.${column}`, ...columns((readout) => readout.heads.values[row * heads.columns + column]!)]);
  const others = [
    ...mlp.map((_, layer) => [`MLP ${layer}`, ...columns((readout) => readout.mlp[layer]!)]),
    ...(['embed', 'position', 'bias'] as const).map((part) => [part, ...columns((readout) => readout[part])]),
  ];
  const note = run.manifest.experiment.metric === 'continuation' ? [FIRST_TOKEN] : [];
  const of = run.manifest.pairs.length > 1 ? `, mean over ${run.manifest.pairs.length} pairs` : '';
  return `${[
    facts(run),
    ...note,
    `Logit lens: the residual stream after each block, read out along correct − incorrect (logits${of})\n${alignedTable(['depth', ...names], lensRows, ['depth'])}`,
    `Direct logit attribution, top heads (logits${of})\n${alignedTable(['head', ...names], headRows, ['head'])}`,
    `Direct logit attribution of everything else (logits${of})\n${alignedTable(['part', ...names], others, ['part'])}`,
  ].join('\n\n')}\n`;
}
