import assert from 'node:assert/strict';
import { graphText } from '../../../src/runs/graphText';
import { fromMib } from '../../../src/shared/graph/mib';
import { fullMask } from '../../../src/shared/graph/mask';
import { edgeScores, shapeOf } from '../../../src/shared/graph/stored';
import { pathsRun } from '../editor/pathsRun';

/** The panel and the command line both write through this. */
describe('a graph for other programs', () => {
  const run = pathsRun();
  const mask = fullMask(shapeOf(run));
  const text = (format: 'mib' | 'csv', unit: 'raw' | 'normalised'): string => graphText(run, format, mask, { pair: 'all', unit });

  it('has raw scores as EAP-IG’s JSON, whatever the view’s units', () => {
    assert.equal(text('mib', 'normalised'), text('mib', 'raw'));
    assert.deepEqual(fromMib(text('mib', 'normalised'), run.manifest.model).scores, edgeScores(run, { pair: 'all', unit: 'raw' }));
  });

  it('has those of the view where the file says which', () => {
    assert.notEqual(text('csv', 'normalised'), text('csv', 'raw'));
  });
});
