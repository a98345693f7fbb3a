import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { NODE_22, NODE_24, packagedNode } from './packagedNode';

const SAMPLE = 'media/samples/ioi.prompts.json';

interface Attribution {
  backend: unknown;
  logitDiff: { clean: number; corrupted: number };
  topHeads: { layer: number; head: number; score: number }[];
}

function attribute(node: string, ...options: string[]): Promise<Attribution> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['dist/cli.js', 'attribute', SAMPLE, '--json', ...options]);
    let output = '';
    let complaints = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (complaints += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as Attribution);
      else reject(new Error(`${node} ended with code ${code}:\n${complaints}`));
    });
  });
}

describe('the workers on the Node of other VS Codes', function () {
  this.timeout(300_000);
  let here: Attribution;
  before(async () => {
    here = await attribute(process.execPath);
    assert.ok(here.topHeads.length >= 4);
    assert.ok(Math.abs(here.topHeads[0]!.score) > 0.05, 'the strongest head carries next to nothing');
  });

  for (const version of [NODE_22, NODE_24]) {
    it(`give the same top heads on Node ${version}`, async function () {
      if (process.platform !== 'linux') return this.skip(); // npm carries these binaries for Linux
      const there = await attribute(await packagedNode(version));
      assert.deepEqual(there.backend, here.backend);
      assert.deepEqual(
        there.topHeads.map(({ layer, head }) => [layer, head]),
        here.topHeads.map(({ layer, head }) => [layer, head]),
      );
      for (const [place, { score }] of there.topHeads.entries()) {
        assert.ok(Math.abs(score - here.topHeads[place]!.score) < 1e-5, `place ${place + 1}: ${score} here, ${here.topHeads[place]!.score} there`);
      }
    });
  }
});
