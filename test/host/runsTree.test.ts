import assert from 'node:assert/strict';
import type { RunIndex } from '../../src/editor/runIndex';
import { RunsTree } from '../../src/editor/runsTree';
import type { RunStore } from '../../src/runs/store';
import type { TextExperiment } from '../../src/shared/experiment';
import { exampleRun } from '../unit/runs/exampleRun';

describe('the list of runs', () => {
  const tree = new RunsTree({ onDidChange: () => ({ dispose: () => undefined }) } as unknown as RunIndex, {} as RunStore);
  const described = (more: Partial<TextExperiment>): string => {
    const { manifest } = exampleRun();
    const item = tree.getTreeItem({ id: manifest.id, file: '', manifest: { ...manifest, experiment: { ...manifest.experiment, ...more } } });
    return String(item.description).replace(/^[^,]*, /, '');
  };

  it('names of a run what is not as usual', () => {
    assert.equal(described({}), 'denoise, no BOS, example');
    assert.equal(described({ at: 'S2', variant: { qkFix: true, interventions: [{ unit: { site: 'z', layer: 1, head: 2 }, with: 'zero' }] } }), 'denoise, at S2, AtP* QK fix, intervention: head 1.2 (z) ← zeros, no BOS, example');
    assert.equal(described({ metric: 'prob' }), 'denoise, probability, no BOS, example');
    assert.equal(described({ metric: { activation: 'attention', layer: 1, head: 2 }, other: 'mean', direction: 'noise' }), 'noise, mean ablation, attention of head 1.2, no BOS, example');
  });
});
