import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { groupArrayName } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import { SITES } from '../../../src/shared/sites';

/** What stands in a run's mlp_post at one place: no two the same. */
export function neuronValue(pair: number, layer: number, position: number, neuron: number): number {
  return Math.cos(1 + 7919 * pair + 104.7 * layer + 13.3 * position + neuron);
}

/** The run with numbers for its neurons. */
export function withNeurons(run: Run): Run {
  const { manifest, arrays } = run;
  const { layers, dMlp } = manifest.model;
  const neurons = manifest.groups.map(({ pairs, length }, group) => ({
    name: groupArrayName(group, 'mlp_post'),
    axes: SITES.mlp_post.axes,
    shape: [pairs.length, layers, length, dMlp],
    data: Float32Array.from(pairs.flatMap((pair) => Array.from({ length: layers * length * dMlp }, (_, i) => neuronValue(pair, Math.floor(i / dMlp / length), Math.floor(i / dMlp) % length, i % dMlp)))),
  }));
  return { manifest, arrays: packArrays([...Object.keys(arrays.entries).map((name) => ({ name, ...arrayNamed(arrays, name) })), ...neurons]) };
}
