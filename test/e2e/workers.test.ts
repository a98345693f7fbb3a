import assert from 'node:assert/strict';
import type { AttributionJson } from '../../src/cli/attributionJson';
import { attributeByCli } from './cli';
import { NODE_22, NODE_24, packagedNode } from './packagedNode';
import { SAMPLE } from './samples';

describe('the workers on the Node of other VS Codes', function () {
  this.timeout(300_000);
  let here: AttributionJson;
  before(async () => {
    here = await attributeByCli(SAMPLE);
    assert.ok(here.topHeads.length >= 4);
    assert.ok(Math.abs(here.topHeads[0]!.score) > 0.05, 'the strongest head carries next to nothing');
  });

  for (const version of [NODE_22, NODE_24]) {
    it(`give the same top heads on Node ${version}`, async function () {
      if (process.platform !== 'linux') return this.skip(); // npm carries these binaries for Linux
      const there = await attributeByCli(SAMPLE, { node: await packagedNode(version) });
      assert.equal(there.backend, here.backend);
      const names = ({ topHeads }: AttributionJson): string[] => topHeads.map(({ layer, head }) => `L${layer}H${head}`);
      assert.deepEqual(names(there), names(here));
      for (const [place, { score }] of there.topHeads.entries()) {
        assert.ok(Math.abs(score - here.topHeads[place]!.score) < 1e-5, `place ${place + 1}: ${here.topHeads[place]!.score} here, ${score} there`);
      }
    });
  }
});
