/**
 * How faithful circuits of the bundled model are on pairs that had no part in finding them: extracted from one sample, run on
 * another with other names and other sentences, printed as the table that the README shows. Run by `npm run -s bench:circuits`;
 * takes the built command line. Exit code 1 when no circuit of less than a tenth of the edges reaches the goal.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { CircuitJson } from '../../src/cli/circuitJson';

const SAMPLE = path.join('media', 'samples', 'ioi.prompts.json');
const HELD_OUT = path.join('media', 'samples', 'ioi-held-out.prompts.json');
const METHODS: [name: string, flag: string][] = [
  ['EAP', 'eap'],
  ['EAP-IG, 5 steps', 'eap-ig=5:left'],
  ['clean-corrupted', 'clean-corrupted'],
];
const RANDOM = 20;
/** Of the graph's edges; the last one is MIB's tenth, rounded down. */
const SHARES = [0.01, 0.02, 0.05, 0.1];
const GOAL = { share: 0.1, faithfulness: 0.8, random: 0.3 };

const run = promisify(execFile);

type Curve = NonNullable<CircuitJson['curve']>;

async function curve(method: string, select: string, ...flags: string[]): Promise<CircuitJson & { curve: Curve }> {
  const words = ['dist/cli.js', 'circuit', SAMPLE, '--method', method, '--select', select, '--curve', '--json', ...flags];
  const { stdout } = await run(process.execPath, words, { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as CircuitJson & { curve: Curve };
}

export async function main(): Promise<number> {
  const figure = (value: number | null | undefined): string => (value === null || value === undefined ? 'n/a' : `${value < -5e-4 ? '−' : ''}${Math.abs(value).toFixed(3)}`);
  const lines: string[] = [];
  let columns: { chosen: number }[] = [];
  let randoms: Curve['points'] = [];
  let best: { name: string; edges: number; faithfulness: number; random: number } | undefined;
  let total = 0;
  for (const [name, method] of METHODS) {
    for (const select of ['top', 'greedy']) {
      const own = await curve(method, select, '--random', '0');
      const held = await curve(method, select, '--evaluate', HELD_OUT, '--random', String(RANDOM));
      const points = held.curve.points.filter(({ share }) => SHARES.includes(share));
      const cells = points.map(({ share, faithfulness }) => `${figure(faithfulness)} (${figure(own.curve.points.find((point) => point.share === share)!.faithfulness)})`);
      lines.push(`| ${name} | ${select} | ${cells.join(' | ')} | ${figure(held.curve.cpr)} | ${figure(held.curve.cmd)} |`);
      total = held.total;
      columns = points;
      randoms = points;
      for (const { chosen, faithfulness, random } of points) {
        const isSmall = chosen < GOAL.share * total;
        if (isSmall && faithfulness! >= GOAL.faithfulness && random!.mean <= GOAL.random && (!best || chosen < best.edges)) best = { name: `${name}, ${select}`, edges: chosen, faithfulness: faithfulness!, random: random!.mean };
      }
    }
  }
  const titles = columns.map(({ chosen }) => `${chosen} edges (${((100 * chosen) / total).toPrecision(3)} %)`);
  console.log(
    [
      `| Edges by | Selection | ${titles.join(' | ')} | CPR | CMD |`,
      `|---|---|${titles.map(() => '---').join('|')}|---|---|`,
      ...lines,
      `| ${RANDOM} random circuits, mean | | ${randoms.map(({ random }) => figure(random!.mean)).join(' | ')} | | |`,
    ].join('\n'),
  );
  console.log(best ? `\nSmallest circuit that reaches the goal: ${best.edges} of ${total} edges by ${best.name}: faithfulness ${figure(best.faithfulness)} held out, random ones ${figure(best.random)}` : '\nNo circuit of less than a tenth of the edges reaches the goal.');
  return best ? 0 : 1;
}
