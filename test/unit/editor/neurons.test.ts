import assert from 'node:assert/strict';
import { NeuronPages } from '../../../src/editor/neurons';
import { meanDifference, type ViewOptions } from '../../../src/shared/views';
import { exampleRun } from '../runs/exampleRun';
import { neuronValue, withNeurons } from './neuronRun';

const run = withNeurons(exampleRun());
const { groups, model, pairs } = run.manifest;
const raw: ViewOptions = { pair: 'all', unit: 'raw' };

/** The mean over pairs of what a neuron has at the positions asked for. */
function scoreOf(layer: number, neuron: number, of: { pair?: number; group?: number; position?: number } = {}): number {
  let sum = 0;
  groups.forEach(({ pairs: own, length }, group) => {
    if (of.group !== undefined && of.group !== group) return;
    for (const pair of own.filter((index) => of.pair === undefined || of.pair === index)) {
      for (let position = 0; position < length; position++) {
        if (of.position === undefined || of.position === position) sum += neuronValue(pair, layer, position, neuron);
      }
    }
  });
  return sum / pairs.length;
}

describe('pages of neurons', () => {
  it('come strongest first, summed over pairs and positions', () => {
    const { total, rows } = new NeuronPages().page(run, { options: raw, from: 0, count: 10 });
    assert.equal(total, model.layers * model.dMlp);
    assert.equal(rows.length, 10);
    for (const { layer, neuron, score } of rows) assert.ok(Math.abs(score - scoreOf(layer, neuron)) < 1e-5);
    const magnitudes = rows.map(({ score }) => Math.abs(score));
    assert.deepEqual(magnitudes, [...magnitudes].sort((a, b) => b - a));
    const strongest = Math.max(...Array.from({ length: total }, (_, i) => Math.abs(scoreOf(Math.floor(i / model.dMlp), i % model.dMlp))));
    assert.ok(Math.abs(magnitudes[0]! - strongest) < 1e-5);
  });

  it('are pages of one ranking', () => {
    const pages = new NeuronPages();
    const whole = pages.page(run, { options: raw, from: 0, count: 48 }).rows;
    assert.deepEqual([0, 20, 40].flatMap((from) => pages.page(run, { options: raw, from, count: 20 }).rows), whole);
    assert.deepEqual(pages.page(run, { options: raw, from: 48, count: 20 }).rows, []);
  });

  it('can be of one layer, of one position, of one pair', () => {
    const pages = new NeuronPages();
    for (const of of [{ layer: 1 }, { layer: 0, group: 1, position: 2 }, { group: 0 }]) {
      const { total, rows } = pages.page(run, { options: raw, from: 0, count: 100, ...of });
      assert.equal(total, ('layer' in of ? 1 : model.layers) * model.dMlp);
      for (const { layer, neuron, score } of rows) assert.ok(Math.abs(score - scoreOf(layer, neuron, of)) < 1e-5);
    }
    const [first] = pages.page(run, { options: { pair: 2, unit: 'normalised' }, from: 0, count: 1 }).rows;
    assert.ok(Math.abs(first!.score - scoreOf(first!.layer, first!.neuron, { pair: 2 }) / meanDifference({ pairs })) < 1e-5);
  });
});
