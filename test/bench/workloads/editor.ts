import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { AttributionJson } from '../../../src/cli/attributionJson';
import { run, type Session } from '../session';
import type { ActivationMeasured } from '../sides/activation';
import type { ParseMeasured } from '../sides/parse';
import { between, markdown, number, spread } from '../statistics';

const SAMPLE = path.join('media', 'samples', 'ioi.prompts.json');

/** What the extension host does when the extension is first needed. */
export async function activation(session: Session): Promise<void> {
  const measured: ActivationMeasured[] = [];
  const bundle = path.join(session.options.bundle, 'extension.js');
  for (let repeat = 0; repeat < session.options.repeats; repeat++) measured.push(await session.measure<ActivationMeasured>({ kind: 'activation', bundle }));
  console.log('\n## Activation\n');
  console.log('What the extension host does when the extension is first needed, with a stand-in for VS Code. A fresh process each time. Goal: 2 s in all.\n');
  console.log(
    markdown(['', 'ms'], [
      ['read the bundle', between(spread(measured.map(({ requireMilliseconds }) => requireMilliseconds)), 1)],
      ['activate', between(spread(measured.map(({ activateMilliseconds }) => activateMilliseconds)), 1)],
    ]),
  );
  const sizes = readdirSync(session.options.bundle)
    .filter((name) => name.endsWith('.js'))
    .map((name) => [name, (statSync(path.join(session.options.bundle, name)).size / 1000).toFixed(0)]);
  console.log(`\n${markdown(['', 'kB'], sizes)}`);
}

/** Prompt files as the editor reads them. */
export async function parse(session: Session): Promise<void> {
  const { files } = await session.measure<ParseMeasured>({ kind: 'parse', repeats: session.options.repeats });
  console.log('\n## Reading prompt files\n');
  console.log('In a fresh process; goal: 50 ms to refuse what is too large.\n');
  console.log(markdown(['', 'MB', 'first time, ms', 'again, ms'], files.map(({ name, megabytes, milliseconds: [first, ...rest] }) => [name, number(megabytes, 3), number(first!, 1), between(spread(rest), 1)])));
}

/** The command line on the bundled model, from start to exit. */
export async function bundled({ options: { repeats, bundle } }: Session): Promise<void> {
  const documents: AttributionJson[] = [];
  const wall: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const start = performance.now();
    documents.push(JSON.parse(await run(process.execPath, [path.join(bundle, 'cli.js'), 'attribute', SAMPLE, '--json'])) as AttributionJson);
    wall.push((performance.now() - start) / 1000);
  }
  const { backend, threads, tokens } = documents[0]!;
  console.log('\n## The bundled model, from the command line\n');
  console.log(`The sample's ${tokens.length} pairs on ${backend}, ${threads} thread${threads === 1 ? '' : 's'}: a fresh process each time, nothing warm.\n`);
  const times: [string, number[]][] = [
    ['start to exit', wall],
    ['of that: load', documents.map(({ timings }) => timings.load)],
    ['of that: run', documents.map(({ timings }) => timings.run)],
  ];
  console.log(markdown(['', 's'], times.map(([name, seconds]) => [name, between(spread(seconds), 3)])));
}
