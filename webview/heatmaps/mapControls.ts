import type { RunSummary } from '../../src/shared/panelProtocol';
import { BLOCK_EVERY, HEAD_EVERY, SITES, type SiteName } from '../../src/shared/sites';
import { plural } from '../../src/shared/text';
import { groupOf, goingToGroup, rolesOf, sitesOf, type MapName, type Values, type ViewState } from '../model/viewState';
import { dropDown, segmented, type Choice } from '../view/dom';

/** The names that TransformerLens gives the sweeps over these sites. */
function familyOf(site: SiteName, map: MapName): string {
  if (HEAD_EVERY.includes(site)) return map === 'heads' ? 'Head every (TransformerLens)' : 'Head every by position, heads summed';
  return BLOCK_EVERY.includes(site) ? 'Block every (TransformerLens)' : 'Further sites';
}

export function siteChoices(run: RunSummary, map: MapName): Choice<SiteName>[] {
  return sitesOf(run, map).map((value) => ({ value, label: SITES[value].title, group: familyOf(value, map) }));
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

/** What the layer × head map shows: which site, at which positions. */
export function headControls(run: RunSummary, stateOf: () => ViewState, change: (part: Partial<ViewState>) => void): HTMLElement[] {
  return [
    dropDown('Site', siteChoices(run, 'heads'), stateOf().sites.heads, (site) => change({ sites: { ...stateOf().sites, heads: site } })),
    segmented(
      'Heads',
      [
        { value: 'all', label: 'All positions', title: 'Scores of each head summed over all positions' },
        { value: 'last', label: 'Last position', title: 'Scores of each head at the metric’s position only' },
      ],
      stateOf().headPositions,
      (headPositions) => change({ headPositions }),
    ),
    valuesControl(stateOf, 'heads', change),
  ];
}

/** What the layer × position map shows: which site, of prompts of which length, in which columns. */
export function positionControls(run: RunSummary, stateOf: () => ViewState, change: (part: Partial<ViewState>) => void): HTMLElement[] {
  const state = stateOf();
  const controls = [dropDown('Site', siteChoices(run, 'positions'), state.sites.positions, (site) => change({ sites: { ...stateOf().sites, positions: site } }))];
  const byRole = state.columns === 'roles';
  if (run.groups.length > 1 && !byRole) {
    const fixed = groupOf(run, state.options.pair);
    const choices = run.groups.map(({ length, pairs, positions }, index) => ({
      value: String(index),
      label: positions === 'last' ? `last position (${plural(pairs.length, 'pair')})` : `${length} tokens (${plural(pairs.length, 'pair')})`,
      disabled: fixed !== undefined && index !== fixed,
    }));
    controls.push(dropDown('Length', choices, String(state.group), (value) => change(goingToGroup(stateOf(), Number(value)))));
  }
  if (rolesOf(run).length > 0) {
    controls.push(
      segmented(
        'Columns',
        [
          { value: 'tokens', label: 'Tokens', title: 'One column for each token position' },
          { value: 'roles', label: 'By role', title: `One column for each named position (${rolesOf(run).join(', ')}), wherever it is in each pair` },
        ],
        state.columns,
        (columns) => change({ columns, selection: stateOf().selection?.kind === 'head' ? stateOf().selection : undefined, sort: { ...stateOf().sort, positions: { rows: { by: 'index' }, columns: { by: 'index' } } } }),
      ),
    );
  }
  return byRole ? controls : [...controls, valuesControl(stateOf, 'positions', change)];
}
