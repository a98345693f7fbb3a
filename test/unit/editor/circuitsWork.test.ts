import assert from 'node:assert/strict';
import { createCircuitsWork } from '../../../src/editor/circuitsWork';
import type { Panel } from '../../../src/editor/panel';
import type { RunsAtWork } from '../../../src/editor/runsAtWork';
import { parseArguments } from '../../../src/cli/arguments';
import { circuitCurve } from '../../../src/runner/circuits/curve';
import type { Evaluate } from '../../../src/runner/circuits/evaluate';
import { stabilityOf } from '../../../src/runner/circuits/stability';
import type { RunSettings } from '../../../src/runner/settings';
import { edgeScores, shapeOf } from '../../../src/shared/graph/stored';
import { graphWork } from '../cli/graphWork';
import { exampleRun } from '../runs/exampleRun';
import { PATH_SCORES, withPaths } from './pathsRun';

describe('circuits of the panel', () => {
  // Each pair has another order, so that what is drawn changes the answer.
  const run = withPaths(exampleRun(), Object.fromEntries(Object.entries(PATH_SCORES).map(([name, score], i) => [name, [score, score * (i % 3), i]])));
  const panel = {} as Panel;
  const settings = {} as RunSettings;
  const options = { pair: 'all', unit: 'raw' } as const;
  const { circuits } = graphWork();
  const runsAtWork: Pick<RunsAtWork, 'work'> = { work: ({ run: of }, call, work) => work({ run: of, call } as Parameters<typeof work>[0]) };
  const panelWork = createCircuitsWork({ runner: { circuits }, runsAtWork: runsAtWork as RunsAtWork, settingsOf: () => settings });

  it('draws what the command line draws', async () => {
    const { seed } = parseArguments(['circuit', 'a', '--edges', '3']) as { seed: number };
    assert.equal(seed, 0);
    const evaluate: Evaluate = (masks, call) => circuits({ run, circuits: masks, ablation: 'corrupted', settings }, call);
    const scores = edgeScores(run, options);
    const curve = (of: number) => circuitCurve({ shape: shapeOf(run), scores, by: 'top', random: 3, seed: of }, evaluate);
    const drawn = await panelWork.circuitCurve({ run, panel }, { options, by: 'top', ablation: 'corrupted', random: 3 }, {});
    assert.deepEqual(drawn, await curve(seed));
    assert.notDeepEqual(drawn, await curve(seed + 1));
    const selection = { by: 'top', edges: 3 } as const;
    const stability = await panelWork.circuitStability({ run, panel }, { selection, prune: false }, {});
    assert.deepEqual(stability, await stabilityOf(run, selection, false, { seed }));
    assert.notDeepEqual(stability, await stabilityOf(run, selection, false, { seed: seed + 1 }));
  });
});
