import type { PanelContent, PanelView, ViewRequest } from '../shared/panelProtocol';
import { summaryOf } from '../shared/panelProtocol';
import { CircuitError } from '../shared/errors';
import type { Run } from '../shared/run';
import type { SiteName } from '../shared/sites';
import { canNormalise, headScores, layerDetail, positionScores, type Matrix, type ViewOptions } from '../shared/views';

/** What the panel draws of a run. Pure: a run in, plain values out. */

export function viewOf({ manifest, arrays }: Run, options: ViewOptions): PanelView {
  return {
    options,
    heads: { all: headScores(manifest, arrays, 'all', options), last: headScores(manifest, arrays, 'last', options) },
  };
}

export function contentOf(run: Run): PanelContent {
  return { kind: 'run', run: summaryOf(run), view: viewOf(run, { pair: 'all', unit: canNormalise(run.manifest) ? 'normalised' : 'raw' }) };
}

export function positionMapOf({ manifest, arrays }: Run, { group, site, options }: ViewRequest & { group: number; site: SiteName }): Matrix {
  return found(positionScores(manifest, arrays, group, site, options), options);
}

export function layerDetailOf({ manifest, arrays }: Run, { group, layer, options }: ViewRequest & { group: number; layer: number }): Matrix {
  return found(layerDetail(manifest, arrays, group, layer, options), options);
}

function found(matrix: Matrix | undefined, options: ViewOptions): Matrix {
  if (!matrix) throw new CircuitError('internal', `Pair ${options.pair} is not among the pairs of this length.`);
  return matrix;
}
