import { emptyWords } from '../runner/circuits/extract';
import { edgesIn, maskSize, nodeCount } from '../shared/graph/mask';
import { edgeCount, edgeName, senderCount } from '../shared/graph/nodes';
import { hasEdges, shapeOf } from '../shared/graph/stored';
import { OTHER_WORDS } from '../shared/otherSide';
import { metricUnit } from '../shared/metrics';
import { capitalised, plural } from '../shared/text';
import { circuitEdges } from './circuitJson';
import type { CircuitReport } from './circuitReport';
import { edgesWords } from './pathsTables';
import { alignedTable, facts, signed, unitTitle } from './text';

/** What `circuit` prints for people. */
export function circuitTables(report: CircuitReport, top: number): string {
  const { run, circuits, losses, curve, stability } = report;
  return `${[
    `${facts(run)}${hasEdges(run) ? `\n  ${edgesWords(run)}` : ''}`,
    ...(circuits.length > 0 ? [measuredPart(report), edgesPart(report, top)] : []),
    ...(losses ? [minimalityPart(report, losses, top)] : []),
    ...(stability ? [`Stability: pairs drawn anew ${stability.samples} times share ${figure(stability.mean)} of the edges (Jaccard; middle 90 %: ${figure(stability.low)} … ${figure(stability.high)})`] : []),
    ...(curve ? [curvePart(curve)] : []),
  ].join('\n\n')}\n`;
}

function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return 'undefined';
  const text = value.toFixed(3);
  return Number(text) === 0 ? '0.000' : text;
}

function measuredPart({ run, circuits, measured, random, refined, ablation }: CircuitReport): string {
  const shape = shapeOf(run);
  const lines = circuits.map(({ name, origin, mask, chosen }) => {
    const edges = maskSize(mask);
    const pruned = chosen > edges ? ` (${plural(chosen, 'edge')} before pruning)` : '';
    return `  ${name}: ${origin}; ${edges} of ${edgeCount(shape)} edges, ${((100 * edges) / edgeCount(shape)).toFixed(1)} %${pruned}, ${nodeCount(shape, mask)} of ${senderCount(shape) + 1} nodes`;
  });
  const tried = refined ? [`  ACDC at ${refined.threshold} ${metricUnit(run.manifest.experiment.metric)}: ${plural(refined.removed, 'edge')} removed, ${refined.tried} tried one after the other`] : [];
  const rows = measured.map(({ circuit, on, faithfulness: { metric, full, empty, value, knockedOut } }) => [
    circuit.name,
    on.manifest.title,
    String(on.manifest.pairs.length),
    ...[metric, full, empty].map(signed),
    figure(value),
    figure(knockedOut),
  ]);
  const drawn = random ? [`  ${plural(random.count, 'random circuit')} of ${plural(random.edges, 'edge')} on ${random.on.manifest.title} (seed ${random.seed}): faithfulness ${figure(random.mean)} in the mean, ${figure(random.low)} … ${figure(random.high)}`] : [];
  const titles = ['circuit', 'on', 'pairs', 'metric', 'all edges', 'no edges', 'faithfulness', 'knocked out'];
  return [`Circuit; all other edges carry ${OTHER_WORDS[ablation].explained}`, ...lines, ...tried, alignedTable(titles, rows, ['circuit', 'on']), ...drawn].join('\n');
}

function edgesPart({ run, circuits, view }: CircuitReport, top: number): string {
  const shape = shapeOf(run);
  const circuit = circuits.at(-1)!;
  const edges = circuitEdges(run, circuit, view);
  if (edges.length === 0) return `No edges are in it. ${emptyWords(circuit.chosen)}`;
  const unit = hasEdges(run) ? unitTitle(run.manifest, view.unit) : circuit.fileScores && `scores as in ${circuit.fileScores.file}`;
  const hasScores = unit !== undefined;
  const rows = edges.slice(0, top).map(({ edge, score }, i) => [String(i + 1), edgeName(shape, edge), ...(hasScores ? [signed(score!)] : [])]);
  const title = `Its edges${edges.length > rows.length ? `, ${rows.length} of ${edges.length}` : ''}${hasScores ? ` (${unit})` : ''}`;
  return `${title}\n${alignedTable(['#', 'edge', ...(hasScores ? ['score'] : [])], rows, ['edge'])}`;
}

function minimalityPart({ run, circuits }: CircuitReport, losses: NonNullable<CircuitReport['losses']>, top: number): string {
  const shape = shapeOf(run);
  const rows = losses.slice(0, top).map(({ edge, loss }, i) => [String(i + 1), edgeName(shape, edge), loss === null ? '' : signed(loss)]);
  const idle = losses.filter(({ loss }) => loss !== null && loss <= 0).length;
  const all = edgesIn(shape, circuits.at(-1)!.mask).length;
  return `Faithfulness lost without one edge: ${rows.length} of ${all}; ${plural(idle, 'edge')} could go without any loss\n${alignedTable(['#', 'without', 'loss'], rows, ['without'])}`;
}

function curvePart({ on, by, random, seed, points, cpr, cmd, leftOut }: NonNullable<CircuitReport['curve']>): string {
  const { title, pairs } = on.manifest;
  const rows = points.map(({ share, chosen, edges, faithfulness, random: drawn }) => [
    `${Number((100 * share).toFixed(4))} %`,
    String(chosen),
    String(edges),
    figure(faithfulness),
    ...(random > 0 ? [drawn ? `${figure(drawn.mean)} (${figure(drawn.low)} … ${figure(drawn.high)})` : ''] : []),
  ]);
  const drawn = random > 0 ? [`mean of ${random} random (lowest … highest)`] : [];
  const notes = [
    `  CPR ${figure(cpr)}, CMD ${figure(cmd)} (MIB's areas, over the budgets of the table)${random > 0 ? `; seed ${seed}` : ''}`,
    ...(leftOut > 0 ? [`  ${capitalised(plural(leftOut, 'smaller budget'))} of MIB's ${leftOut === 1 ? 'comes' : 'come'} to no edge in a graph of this size and ${leftOut === 1 ? 'is' : 'are'} left out`] : []),
  ];
  return [`Faithfulness over budgets, ${by}, on ${plural(pairs.length, 'pair')} of ${title}`, alignedTable(['budget', 'edges', 'pruned', 'faithfulness', ...drawn], rows, []), ...notes].join('\n');
}
