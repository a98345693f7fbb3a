import { arrayNamed } from '../shared/arrays';
import type { NeuronsPage, NeuronsRequest } from '../shared/panelProtocol';
import { groupArrayName } from '../shared/results';
import type { Run } from '../shared/run';
import { scaleOf } from '../shared/views';

type Question = Omit<NeuronsRequest, 'runId' | 'from' | 'count'>;
type Ranked = NeuronsPage['rows'];

/** Pages of the strongest neurons. The last ranking is kept, so that turning a page does not rank again. Pure but for that. */
export class NeuronPages {
  private last?: { runId: string; question: string; ranked: Ranked };

  page(run: Run, { from, count, options, layer, group, position }: Omit<NeuronsRequest, 'runId'>): NeuronsPage {
    const question = JSON.stringify([options.pair, options.unit, layer, group, position]);
    const runId = run.manifest.id;
    if (this.last?.runId !== runId || this.last.question !== question) {
      this.last = { runId, question, ranked: rankNeurons(run, { options, layer, group, position }) };
    }
    const { ranked } = this.last;
    return { total: ranked.length, rows: ranked.slice(from, from + count) };
  }
}

/** All neurons asked for by falling |score|, summed over pairs and positions in view; ties keep their order. */
export function rankNeurons({ manifest, arrays }: Run, { options, layer, group, position }: Question): Ranked {
  const { layers, dMlp } = manifest.model;
  const [first, end] = layer === undefined ? [0, layers] : [layer, layer + 1];
  const sums = new Float64Array((end - first) * dMlp);
  manifest.groups.forEach(({ pairs }, index) => {
    if (group !== undefined && group !== index) return;
    const { data, shape } = arrayNamed(arrays, groupArrayName(index, 'mlp_post'));
    const positions = shape[2]!;
    pairs.forEach((pair, row) => {
      if (options.pair !== 'all' && options.pair !== pair) return;
      for (let l = first; l < end; l++) {
        for (let p = position ?? 0; p < (position === undefined ? positions : position + 1); p++) {
          const start = ((row * layers + l) * positions + p) * dMlp;
          for (let n = 0; n < dMlp; n++) sums[(l - first) * dMlp + n]! += data[start + n]!;
        }
      }
    });
  });
  const scale = scaleOf(manifest, options);
  const order = Array.from(sums.keys()).sort((a, b) => Math.abs(sums[b]!) - Math.abs(sums[a]!) || a - b);
  return order.map((i) => ({ layer: first + Math.floor(i / dMlp), neuron: i % dMlp, score: sums[i]! * scale }));
}
