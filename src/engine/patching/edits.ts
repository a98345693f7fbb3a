import * as tf from '@tensorflow/tfjs-core';
import type { Intervention, Other, TokenPair, Unit } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import type { Change } from '../model/sites';
import { partOf, type PairPlace } from './exactCells';
import { overwrite, siteValues, type SiteValues } from './exactCopy';

/** What stands in for a site's values: of the sequence that belongs to each row (pair) of the batch. */
export interface StandIn {
  of(row: number): { values: SiteValues; sequence: number };
  /** Tokens of the prompts it was taken from, appended ones included. */
  length: number;
}

/** Where replaced values come from; zero and mean are no runs of their own. */
export type ValueSource = 'other' | 'resample' | 'mean' | 'zero';

/** `corrupted` is the other side of the experiment, whatever that is. */
export function sourceOf({ with: source }: Intervention, other: Other = 'corrupted'): ValueSource {
  if (source !== 'corrupted') return source;
  return other === 'zero' || other === 'mean' ? other : 'other';
}

/** The batch that is edited: one sequence for each pair. */
export interface EditedBatch extends Omit<PairPlace, 'otherLength'> {
  pairs: readonly TokenPair[];
  dHead: number;
}

/**
 * The interventions as changes of a forward pass: each unit of the base run becomes what `standInOf` gives for it (undefined:
 * zeros), later ones over earlier ones. Positions that the run does not compute stay: they reach nothing.
 */
export function interventionEdit<I extends Intervention>(interventions: readonly I[], batch: EditedBatch, standInOf: (intervention: I) => StandIn | undefined): Change {
  return (site, layer) => {
    const own = interventions.filter(({ unit }) => isOf(unit, site, layer));
    if (own.length === 0) return undefined;
    return (value) =>
      changed(site, value, batch, (target) => {
        for (const intervention of own) {
          const standIn = standInOf(intervention);
          const place = { ...batch, otherLength: standIn?.length ?? batch.baseLength };
          batch.pairs.forEach((pair, row) => overwrite(target, row, partOf(intervention.unit, place, pair), standIn?.of(row), batch.dHead));
        }
      });
  };
}

/** Stops the gradient at the units, as the mask of a backward pass. */
export function stopAt(units: readonly Unit[], batch: EditedBatch): Change {
  const place = { ...batch, otherLength: batch.baseLength };
  return (site, layer) => {
    const own = units.filter((unit) => isOf(unit, site, layer));
    if (own.length === 0) return undefined;
    return (gradient) =>
      changed(site, gradient, batch, (target) => {
        for (const unit of own) batch.pairs.forEach((pair, row) => overwrite(target, row, partOf(unit, place, pair), undefined, batch.dHead));
      });
  };
}

function isOf({ site, layer = 0 }: Unit, asked: SiteName, askedLayer: number): boolean {
  return site === asked && layer === askedLayer;
}

function changed(site: SiteName, value: tf.Tensor, { pairs, baseLength }: EditedBatch, change: (target: SiteValues) => void): tf.Tensor {
  const data = value.dataSync<'float32'>().slice();
  change(siteValues(site, data, value.shape, pairs.length, baseLength));
  return tf.tensor(data, value.shape);
}
