import * as tf from '@tensorflow/tfjs-core';
import type { Variant } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import { backward } from '../model/backward';
import { disposeRun, forward, type ForwardRun } from '../model/forward';
import type { Change, SiteTensors } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { ChunkRuns } from './chunkRuns';
import type { PreparedMetric } from './preparedMetric';
import { fixedScores, siteSums, type SiteScores } from './siteScores';
import { capturedAt, positionsOf, trailing } from './siteTensors';

/** Takes scores of the chunk's pairs; what is taken for the same site and layer adds up, each times its factor. */
export type Take = (site: SiteName, layer: number, scores: SiteScores, factor?: number) => void;

/**
 * Effects at every site, gradient · (clean − other), with the gradient as the variant says:
 *   plain            at the base run
 *   integrated       mean over m forward passes from embed_base + α(embed_other − embed_base); the difference stays that of
 *                    the true runs
 *   gradDrop         Σ over layers ℓ of |effect with the gradient into attn_out and mlp_out of layer ℓ stopped|/(L − 1); what
 *                    lies inside layer ℓ, or is its output, has no effect left in that pass
 *   freezeLayerNorm  the scale of every LayerNorm, the final one's included, is a constant
 *   freezePattern    scores, queries and keys have no effect
 *   stopGradient     nothing flows back through these parts, so that they have no effect themselves
 *   qkFix            q and k: the metric's change to first order in the pattern, which is computed anew (`qkFix`)
 * `sums` says what is summed up of a site's products gradient · difference.
 */
export async function attributeRuns(model: Gpt2, variant: Variant, runs: ChunkRuns, sites: readonly SiteName[], take: Take, work: Work, sums: typeof siteSums = siteSums): Promise<void> {
  if (sites.length === 0) return;
  const { base, stopped } = runs;
  const effects = new Effects(model, variant, runs, sites, work, sums);
  if (variant.integrated) {
    const { steps } = variant.integrated;
    for (let step = 0; step < steps; step++) {
      const run = await interpolated(model, variant.integrated, step, runs, work);
      try {
        await effects.of(run, [stopped], (site, layer, scores) => take(site, layer, scores, 1 / steps));
      } finally {
        disposeRun(run);
      }
    }
  } else if (variant.gradDrop) {
    const { layers } = model.config;
    const drops = Array.from({ length: layers }, (_, dropped): Change => (site, layer) =>
      layer === dropped && (site === 'attn_out' || site === 'mlp_out') ? tf.zerosLike : stopped?.(site, layer));
    await effects.of(base, drops, (site, layer, { positions, values }) => take(site, layer, { positions, values: values.map(Math.abs) }, 1 / (layers - 1)));
  } else {
    await effects.of(base, [stopped], take);
  }
}

/** Gradients of one run after the other, times the difference between the two sides. */
class Effects {
  private readonly wanted: SiteName[];

  constructor(
    private readonly model: Gpt2,
    private readonly variant: Variant,
    private readonly runs: ChunkRuns,
    private readonly sites: readonly SiteName[],
    private readonly work: Work,
    private readonly sums: typeof siteSums,
  ) {
    const isFixed = variant.qkFix === true && (sites.includes('q') || sites.includes('k'));
    this.wanted = [...new Set<SiteName>([...sites, ...(isFixed ? (['pattern'] as const) : [])])];
  }

  /** One backward pass of a recorded run for each way of stopping gradients. The difference is that of the base run. The run's record is used up. */
  async of(run: ForwardRun, stops: readonly (Change | undefined)[], take: Take): Promise<void> {
    const { freezeLayerNorm, freezePattern } = this.variant;
    const { metric, pairs, replaced } = this.runs;
    const start = metric.gradient(run, pairs.map((_, row) => row), { freezeLayerNorm });
    try {
      for (const [pass, stop] of stops.entries()) {
        const visit = (layer: number, found: SiteTensors): void => {
          if ((this.runs.layer ?? layer) !== layer) return;
          const gradients = stop ? masked(found, layer, stop) : found;
          try {
            for (const site of this.sites) {
              if (gradients[site]) take(site, layer, this.scores(site, layer, gradients[site], gradients));
            }
          } finally {
            if (gradients !== found) tf.dispose(gradients);
          }
        };
        const mask = replaced && stop ? both(replaced, stop) : (replaced ?? stop);
        await backward(this.model, run, { ...start, wanted: this.wanted, freezeLayerNorm, freezePattern, mask, downTo: this.runs.layer, keepRecord: pass < stops.length - 1 }, visit, this.work);
      }
    } finally {
      disposeGradient(start);
    }
  }

  private scores(site: SiteName, layer: number, gradient: tf.Tensor, gradients: SiteTensors): SiteScores {
    const { base, direction, common, otherLike } = this.runs;
    if (this.variant.qkFix && (site === 'q' || site === 'k')) {
      const other = tf.tidy(() => tf.clone(otherLike(site, layer, gradient)));
      try {
        const { positions, values } = fixedScores(site, base.layers[layer]!.record!.attention, other as tf.Tensor4D, gradients.pattern!, this.work);
        return { positions, values: direction === 'denoise' ? values : values.map((value) => -value) };
      } finally {
        other.dispose();
      }
    }
    const positions = Math.min(positionsOf(site, gradient, base.batch), common);
    const sums = tf.tidy(() => {
      const own = trailing(site, capturedAt(base, site, layer), base.batch, positions);
      const sides = { own, other: otherLike(site, layer, own), gradient: trailing(site, gradient, base.batch, positions) };
      return this.sums(site, this.model.config, direction === 'denoise' ? sides : { ...sides, own: sides.other, other: own });
    });
    const values = sums.dataSync<'float32'>();
    sums.dispose();
    return { positions, values };
  }
}

/** One change after the other. */
function both(first: Change, second: Change): Change {
  return (site, layer) => {
    const [one, other] = [first(site, layer), second(site, layer)];
    return one && other ? (x) => other(one(x)) : (one ?? other);
  };
}

/** Copies, in which nothing is left of the gradient where it is stopped. */
function masked(gradients: SiteTensors, layer: number, stop: Change): SiteTensors {
  return tf.tidy(() => Object.fromEntries(Object.entries(gradients).map(([site, x]) => [site, tf.clone(stop(site as SiteName, layer)?.(x) ?? x)])));
}

/** A recorded run of the base prompts whose embedding lies between the two sides'. */
export async function interpolated(model: Gpt2, { steps, rule }: NonNullable<Variant['integrated']>, step: number, { base, batch, metric, edit, otherLike, appended }: ChunkRuns, work: Work): Promise<ForwardRun> {
  const alpha = (step + { left: 0, midpoint: 0.5, right: 1 }[rule]) / steps;
  const x = tf.tidy(() => {
    const own = base.embed!;
    const towards = tf.mul(tf.sub(otherLike('embed', 0, own), own), alpha);
    const between = tf.add(own, appended === 0 ? towards : tf.mul(towards, promptRows(base, appended)));
    return edit?.('embed', 0)?.(between) ?? between;
  }) as tf.Tensor2D;
  try {
    return await forward(model, batch, { sites: metric.reads.map(({ site }) => site), capturesIn: (site, layer) => metric.reads.some((read) => read.site === site && read.layer === layer), record: true, tail: base.tail, from: { layer: 0, x }, edit }, work);
  } finally {
    x.dispose();
  }
}

/** 1 at the prompt's rows, 0 at those of a continuation: [rows, 1]. */
function promptRows({ batch, length }: ForwardRun, appended: number): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from({ length: batch * length }, (_, row) => (row % length < length - appended ? 1 : 0)), [batch * length, 1]);
}

export function disposeGradient({ final, inject }: ReturnType<PreparedMetric['gradient']>): void {
  final?.dispose();
  for (const { gradient } of inject ?? []) gradient.dispose();
}
