import type { TokenExperiment } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { meansOf, type Means } from './means';
import type { Plan } from './plan';

/** A site in one layer (0 for embed). */
export interface SitePlace {
  site: SiteName;
  layer: number;
}

/** Where an experiment needs a mean: `places` if its other side is one, and what interventions take. Each once. */
export function meansTaken({ other, variant }: Pick<TokenExperiment, 'other' | 'variant'>, places: readonly SitePlace[]): SitePlace[] {
  const edits = (variant?.interventions ?? []).filter((own) => own.with === 'mean' || (own.with === 'corrupted' && other === 'mean'));
  const all = [...(other === 'mean' ? places : []), ...edits.map(({ unit: { site, layer = 0 } }): SitePlace => ({ site, layer }))];
  return [...new Map(all.map(({ site, layer }) => [`${site}.${layer}`, { site, layer }])).values()];
}

/** Mean activations over the clean prompts of each length group of each branch, taken when first asked for. The owner disposes it. */
export class GroupMeans {
  private readonly known = new Map<string, Means>();
  private readonly places: readonly SitePlace[];

  /** `places`: those whose mean is the other side under ablation by mean; interventions add their own. */
  constructor(
    private readonly model: Gpt2,
    private readonly plan: Plan,
    places: readonly SitePlace[],
  ) {
    this.places = meansTaken(plan.experiment, places);
  }

  /** Undefined where the experiment has no use for a mean. */
  async get(branch: number, group: number, work: Work): Promise<Means | undefined> {
    if (this.places.length === 0) return undefined;
    const key = `${branch}.${group}`;
    let means = this.known.get(key);
    if (!means) {
      const tail = Math.max(...this.plan.chunks.filter((chunk) => chunk.branch === branch && chunk.group === group).map((chunk) => chunk.tail));
      const prompts = this.plan.groups[group]!.pairs.map((pair) => this.plan.branches[branch]!.experiment.pairs[pair]!.clean);
      this.known.set(key, (means = await meansOf(this.model, prompts, this.places, tail, work)));
    }
    return means;
  }

  dispose(): void {
    for (const means of this.known.values()) means.dispose();
  }
}

/** The sites in every layer. */
export function inAllLayers(sites: readonly SiteName[], layers: number): SitePlace[] {
  return sites.flatMap((site) => Array.from({ length: site === 'embed' ? 1 : layers }, (_, layer) => ({ site, layer })));
}
