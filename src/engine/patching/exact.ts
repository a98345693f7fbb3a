import type { PatchResult } from '../../shared/results';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { batchesOf, needsOf, type ExactPlan } from './exactPlan';
import { runBatch } from './exactRun';
import { isSwept, sweep } from './exactSweep';
import { measure } from './measurement';

/**
 * Exact activation patching (formulas B.3): for every cell and pair, a forward pass of the base prompt (corrupted when
 * denoising, clean when noising) in which the cell's part of a site is replaced by the other side's values,
 *   effect = M_patched − M_base when denoising, M_base − M_patched when noising, in the metric's raw units.
 * A cell without a position replaces all positions of the prompt at once, without a head all heads.
 * What a patch cannot change is not run again: layers below it, positions before it, the prefix that both prompts share.
 * A patch that reaches nothing of the metric, or that replaces values by the same ones because the prompts are the same that
 * far, has an effect of exactly 0. Of the experiment's variant only the interventions count, which are done to the base run
 * and to every patched one; the rest concerns gradients.
 * Finished cells are handed over as they come, also those of a call that is cancelled or fails later.
 * Throws `cancelled`, and `model-invalid` as soon as a result is not finite, which is not handed over.
 */
export async function patchExactly(model: Gpt2, plan: ExactPlan, work: Work): Promise<Omit<PatchResult, 'backend' | 'seconds'>> {
  const { cells } = plan;
  const shape = { ...plan, config: model.config };
  work.begin('Patching');
  const measured = await measure(
    model,
    {
      ...plan,
      things: cells,
      groupOf: ({ group }) => group,
      places: cells.map(({ site, layer = 0 }) => ({ site, layer })),
      batchesOf: (job, block) => batchesOf(shape, job, block),
      needsOf: (job, block) => needsOf(shape, job, block),
      prepare: async ({ job, sources, pasts, metric }) => (batch) => isSwept(job) ? sweep(model, job, sources, batch, metric, work) : runBatch(model, job, sources, batch, pasts, metric, work),
      handOver: (found, effects) => work.deliver({ measured: { cells: found, effects } }),
    },
    work,
  );
  return { groups: [...plan.plan.groups], cells: [...cells], ...measured };
}
