/** Measures on this machine and prints docs/performance.md's tables as markdown. See `usage`. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { markdown, number } from './statistics';
import { SIZES, type Size } from './models';
import { Session } from './session';
import { verdict } from './comparison';
import { WORKLOADS } from './workloads';

const USAGE = `npm run bench [-- OPTIONS]
  --only W1,W4      of ${Object.keys(WORKLOADS).join(', ')}
  --size SIZE       ${SIZES.join(', ')}; small by default, tiny to try the bench itself
  --repeats N       measured runs of each side, 7 by default
  --limit SECONDS   no repeat is begun that would measure a side for longer, 120 by default
  --bundle FOLDER   whose engineWorker.js stands for ours, dist by default`;

function options(): { session: Session; only: string[] } {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(WORKLOADS).join() },
      size: { type: 'string', default: 'small' },
      repeats: { type: 'string', default: '7' },
      limit: { type: 'string', default: '120' },
      bundle: { type: 'string', default: 'dist' },
    },
  });
  const only = values.only.split(',');
  const unknown = only.find((name) => !(name in WORKLOADS));
  const repeats = Number(values.repeats);
  if (unknown !== undefined || !SIZES.includes(values.size as Size) || !(repeats >= 1)) throw new Error(`Unknown option.\n${USAGE}`);
  return { only, session: new Session({ size: values.size as Size, repeats, bundle: values.bundle, limitSeconds: Number(values.limit) }) };
}

function machine(): string {
  const { version } = JSON.parse(readFileSync(path.join('node_modules', '@tensorflow', 'tfjs-core', 'package.json'), 'utf8')) as { version: string };
  const cpus = os.cpus();
  return [
    `${cpus[0]!.model.trim()}, ${cpus.length} cores, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ${os.type()} ${os.machine()}`,
    `Node ${process.versions.node}, tfjs ${version}, load average before: ${number(os.loadavg()[0]!)}`,
  ].join('; ');
}

/** All goals of this run in one list. */
function printVerdicts({ verdicts }: Session): void {
  if (verdicts.length === 0) return;
  console.log('\n## Goals\n');
  console.log(markdown(['', 'beside', 'ours / best variant', 'goal', ''], verdicts.map(({ workload, beside, ratio, goal }) => [workload, beside, number(ratio), `≤ ${goal}`, verdict(ratio, goal)])));
}

/** From a cancel to the answer of the request sent right after it. */
function printCancels({ cancels }: Session): void {
  if (cancels.length === 0) return;
  const GOAL_MS = 250;
  console.log('\n## Cancelling\n');
  console.log(`Each call is cancelled at a third of its time and at two random moments, and a prediction for one prompt is asked for at once. Goal: that one is answered within ${GOAL_MS} ms beside its own time.\n`);
  console.log(markdown(
    ['', 'cancelled after, s', 'answered within, ms', 'its own time, ms', 'wait, ms', ''],
    cancels.flatMap(({ workload, cancelled, requestMs }) => cancelled!.map(({ at, servedMs }) => {
      const wait = servedMs === undefined ? undefined : Math.max(0, servedMs - requestMs!);
      return [workload, number(at), servedMs === undefined ? 'had ended' : number(servedMs, 0), number(requestMs!, 0), wait === undefined ? '' : number(wait, 0), wait === undefined ? '' : verdict(wait, GOAL_MS)];
    })),
  ));
}

async function main(): Promise<void> {
  const { session, only } = options();
  console.log(`${machine()}; ${new Date().toISOString().slice(0, 10)}; ours from ${path.relative('.', session.options.bundle)}`);
  try {
    for (const name of Object.keys(WORKLOADS)) if (only.includes(name)) await WORKLOADS[name]!(session);
  } finally {
    await session.close();
  }
  printCancels(session);
  printVerdicts(session);
  console.log(`\nLoad average after: ${number(os.loadavg()[0]!)}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
