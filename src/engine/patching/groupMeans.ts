import type { SiteName } from '../../shared/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { meansOf, type Means } from './means';
import type { Plan } from './plan';

/** Mean activations over the clean prompts of each length group of each branch, taken when first asked for. The owner disposes it. */
export class GroupMeans {
  private readonly known = new Map<string, Means>();
  private readonly sites: SiteName[];

  /** `sites`: those whose mean is the other side under ablation by mean; interventions add their own. */
  constructor(
    private readonly model: Gpt2,
    private readonly plan: Plan,
    sites: readonly SiteName[],
  ) {
    const { other, variant } = plan.experiment;
    const means = (variant?.interventions ?? []).filter((own) => own.with === 'mean' || (own.with === 'corrupted' && other === 'mean'));
    this.sites = [...new Set([...(other === 'mean' ? sites : []), ...means.map(({ unit }) => unit.site)])];
  }

  /** Undefined where the experiment has no use for a mean. */
  async get(branch: number, group: number, work: Work): Promise<Means | undefined> {
    if (this.sites.length === 0) return undefined;
    const key = `${branch}.${group}`;
    let means = this.known.get(key);
    if (!means) {
      const tail = Math.max(...this.plan.chunks.filter((chunk) => chunk.branch === branch && chunk.group === group).map((chunk) => chunk.tail));
      const prompts = this.plan.groups[group]!.pairs.map((pair) => this.plan.branches[branch]!.experiment.pairs[pair]!.clean);
      this.known.set(key, (means = await meansOf(this.model, prompts, this.sites, tail, work)));
    }
    return means;
  }

  dispose(): void {
    for (const means of this.known.values()) means.dispose();
  }
}
