import type { CallName } from './calls';
import type { HashCheckpointConfig } from '../fixtures/hashCheckpoint';
import type { PromptSet } from './prompts';
import type { PeerMeasured, PythonName, Session } from './session';
import type { Measured, OursMeasured } from './sides/ours';
import { between, differsBy, markdown, number, ratio, spread } from './statistics';

/** A library and the ways to measure it; the best of them is what ours is held against. */
export interface Peer {
  name: string;
  /** Ours may take so many times the peer's time. */
  goal?: number;
  variants: { name: string; python: PythonName; peer: string }[];
}

export interface Comparison {
  workload: string;
  title: string;
  /** What is run, in a sentence or two. */
  about: string;
  call: CallName;
  prompts: PromptSet;
  recipe: HashCheckpointConfig;
  peers: Peer[];
  /** 0: as the engine chooses. */
  threads?: number;
  /** Where tfjs-node is; ours then computes with it. */
  nativeFolder?: string;
  cancel?: boolean;
  /** Ours may take so many times the memory of whichever peer takes least. */
  memory?: number;
}

interface Row {
  name: string;
  measured: Omit<Measured, 'backend' | 'threads'>;
}

/** Measures ours, every peer, and ours once more, since a shared machine is not the same all the time; prints the table. Gives back ours. */
export async function compare(session: Session, comparison: Comparison): Promise<OursMeasured> {
  const { workload, title, about, call, prompts, recipe, peers, threads = 0, nativeFolder, cancel = true, memory } = comparison;
  const { bundle, repeats, limitSeconds } = session.options;
  const folder = await session.checkpoint(recipe);
  const task = { kind: 'ours', bundle, folder, call, prompts, backend: nativeFolder ? 'native' : threads === 1 ? 'wasm-simd' : 'auto', ...(nativeFolder && { nativeFolder }), threads, repeats, limitSeconds } as const;
  const own = await session.measure<OursMeasured>({ ...task, cancel });
  if (own.cancelled) session.cancels.push({ workload, cancelled: own.cancelled, requestMs: own.requestMs });

  const libraries: { goal?: number; measured: Row[] }[] = [];
  const notes = new Set<string>();
  const versions = new Set<string>();
  for (const { name: library, goal, variants } of peers) {
    const measured: Row[] = [];
    for (const { name, python, peer } of variants) {
      const missing = session.missing(python);
      if (missing) {
        notes.add(`${library}: ${missing}`);
        continue;
      }
      try {
        const one: PeerMeasured = await session.peer(python, { peer, folder, prompts, threads: own.threads, scores: own.scores, budgets: own.budgets });
        measured.push({ name: `${library}, ${name}`, measured: one });
        for (const [name, version] of Object.entries(one.versions)) versions.add(`${name} ${version}`);
      } catch (error) {
        // An absent or changed peer is reported; the others still run.
        notes.add(`${library}, ${name}: ${error instanceof Error ? error.message.split('\n').at(-1) : String(error)}`);
      }
    }
    libraries.push({ ...(goal !== undefined && { goal }), measured });
  }
  const rows = libraries.flatMap(({ measured }) => measured);
  let planned = repeats;
  if (rows.length > 0) {
    planned *= 2;
    try {
      const after = await session.measure<OursMeasured>({ ...task, cancel: false });
      own.seconds.push(...after.seconds);
      own.peakMegabytes = Math.max(own.peakMegabytes, after.peakMegabytes);
    } catch (error) {
      notes.add(`Ours was not measured after the peers: ${error instanceof Error ? error.message.split('\n').at(-1) : String(error)}`);
    }
  }

  const verdicts: string[] = [];
  for (const { goal, measured } of libraries) {
    if (measured.length === 0 || goal === undefined) continue;
    const best = measured.reduce((a, b) => (spread(b.measured.seconds).median < spread(a.measured.seconds).median ? b : a));
    const achieved = ratio(own.seconds, best.measured.seconds);
    verdicts.push(`- Beside ${best.name}: × ${between(achieved)}, goal ≤ ${goal}: **${verdict(achieved.median, goal)}**`);
    session.verdicts.push({ workload, beside: best.name, goal, ratio: achieved.median });
  }
  if (memory !== undefined && rows.length > 0) {
    const least = rows.reduce((a, b) => (b.measured.peakMegabytes < a.measured.peakMegabytes ? b : a));
    const achieved = own.peakMegabytes / least.measured.peakMegabytes;
    verdicts.push(`- Peak memory beside ${least.name}: × ${number(achieved)}, goal ≤ ${memory}: **${verdict(achieved, memory)}**`);
    session.verdicts.push({ workload: `${workload}, peak memory`, beside: least.name, goal: memory, ratio: achieved });
  }

  const line = ({ name, measured }: Row, isOwn: boolean): string[] => [
    name,
    number(measured.load),
    measured.isWhole ? number(measured.load + measured.first) : '',
    `${between(spread(measured.seconds))}${measured.seconds.length < (isOwn ? planned : repeats) ? `, ${measured.seconds.length} run${measured.seconds.length === 1 ? '' : 's'}` : ''}`,
    isOwn ? '' : `× ${between(ratio(own.seconds, measured.seconds))}`,
    number(measured.peakMegabytes, 0),
    isOwn ? '' : differsBy(measured.values, own.values).toExponential(0),
  ];
  console.log(`\n## ${workload}: ${title}\n`);
  console.log(`${about} ${sizeOf(recipe)}. ${own.threads} thread${own.threads === 1 ? '' : 's'}.${rows.some((row) => !row.measured.isWhole) ? ' Where no first run is shown, the peer was warmed up with a few forward passes only.' : ''}\n`);
  console.log(markdown(
    ['', 'load, s', 'load + first run, s', 'run, s', 'ours / this', 'peak memory, MB', 'differs by'],
    [line({ name: `**ours** (${own.backend})`, measured: own }, true), ['ours, the same prompts once more', '', '', number(own.again), '', '', ''], ...rows.map((row) => line(row, false))],
  ));
  for (const text of [verdicts.join('\n'), ...notes]) if (text) console.log(`\n${text}`);
  if (rows.length > 0) console.log(`\n${[...versions].join(', ')}`);
  return own;
}

export function verdict(value: number, goal: number): string {
  return value <= goal ? 'reached' : 'not reached';
}

export function sizeOf({ name, layers, dModel }: HashCheckpointConfig): string {
  return `Model: ${name}, ${layers} layers of ${dModel}, random weights`;
}
