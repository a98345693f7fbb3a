import type { RunSummary } from '../../src/shared/panelProtocol';
import { BLOCK_EVERY, HEAD_EVERY, SITES, type SiteName } from '../../src/shared/sites';
import { readsAtEnd } from '../../src/shared/tokenColumns';
import { plural } from '../../src/shared/text';
import { groupOf, goingToGroup, rolesOf, sitesOf, type MapName, type Values, type ViewState } from '../model/viewState';
import { dropDown, segmented, type Choice } from '../view/dom';

/** As they follow one another in the model. */
const BLOCKS: readonly SiteName[] = ['embed', 'resid_pre', 'resid_mid', 'resid_post', 'attn_out', 'mlp_out'];

/** With the names that TransformerLens gives the sweeps over these sites. */
function familyOf(site: SiteName, map: MapName): string {
  if (HEAD_EVERY.includes(site)) return map === 'heads' ? 'Head every (TransformerLens)' : 'Head every by position, heads summed';
  return BLOCKS.includes(site) ? `Residual stream and blocks (block every: ${BLOCK_EVERY.join(', ')})` : 'Further sites';
}

/** The stream and what writes to it first, then what has heads. */
export function siteChoices(run: Pick<RunSummary, 'sites'>, map: MapName): Choice<SiteName>[] {
  const sites = sitesOf(run, map);
  const ordered = [...BLOCKS.filter((site) => sites.includes(site)), ...sites.filter((site) => !BLOCKS.includes(site))];
  return ordered.map((value) => ({ value, label: SITES[value].title, group: familyOf(value, map) }));
}

/** `stateOf`: the present state, which may have changed elsewhere since the control was drawn. */
export function valuesControl(stateOf: () => ViewState, map: MapName, change: (part: Partial<ViewState>) => void): HTMLElement {
  const choices: Choice<Values>[] = [
    { value: 'estimate', label: 'Estimate', title: 'Attribution; measured cells have a corner' },
    { value: 'exact', label: 'Exact', title: 'Exact patching; cells that were not measured are hatched' },
    { value: 'difference', label: 'Difference', title: 'Estimate − exact, where measured' },
  ];
  return segmented('Show', choices, stateOf().values[map], (values) => change({ values: { ...stateOf().values, [map]: values } }));
}

/** Which matrix the layer × head map is: of which site, at which positions. */
export function headControls(run: RunSummary, stateOf: () => ViewState, change: (part: Partial<ViewState>) => void): HTMLElement[] {
  return [
    dropDown('Site', siteChoices(run, 'heads'), stateOf().sites.heads, (site) => change({ sites: { ...stateOf().sites, heads: site } })),
    segmented(
      'Heads',
      [
        { value: 'all', label: 'All positions', title: 'Scores of each head summed over all positions' },
        { value: 'last', label: run.pairs.every(readsAtEnd) ? 'Last position' : 'Metric’s position', title: 'Scores of each head at the metric’s position only' },
      ],
      stateOf().headPositions,
      (headPositions) => change({ headPositions }),
    ),
  ];
}

/** Which matrix the layer × position map is: of which site and, where there is one column per token, of prompts of which length. */
export function positionControls(run: RunSummary, stateOf: () => ViewState, change: (part: Partial<ViewState>) => void): HTMLElement[] {
  const state = stateOf();
  const controls = [dropDown('Site', siteChoices(run, 'positions'), state.sites.positions, (site) => change({ sites: { ...stateOf().sites, positions: site } }))];
  if (run.groups.length > 1 && state.columns === 'tokens') {
    const fixed = groupOf(run, state.options.pair);
    const choices = run.groups.map(({ length, pairs, positions }, index) => ({
      value: String(index),
      label: positions === 'last' ? `${pairs.every((pair) => readsAtEnd(run.pairs[pair]!)) ? 'last' : 'metric’s'} position (${plural(pairs.length, 'pair')})` : `${length} tokens (${plural(pairs.length, 'pair')})`,
      disabled: fixed !== undefined && index !== fixed,
    }));
    controls.push(dropDown('Length', choices, String(state.group), (value) => change(goingToGroup(stateOf(), Number(value)))));
  }
  return controls;
}

/** In which columns the layer × position map is drawn; none where the file names no positions. */
export function columnsControl(run: RunSummary, stateOf: () => ViewState, change: (part: Partial<ViewState>) => void): HTMLElement[] {
  if (rolesOf(run).length === 0) return [];
  return [
    segmented(
      'Columns',
      [
        { value: 'tokens', label: 'Tokens', title: 'One column for each token position' },
        { value: 'roles', label: 'By role', title: `One column for each named position (${rolesOf(run).join(', ')}), wherever it is in each pair` },
      ],
      stateOf().columns,
      (columns) => change({ columns, selection: stateOf().selection?.kind === 'head' ? stateOf().selection : undefined, sort: { ...stateOf().sort, positions: { rows: { by: 'index' }, columns: { by: 'index' } } } }),
    ),
  ];
}
