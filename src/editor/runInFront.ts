import { CircuitError } from '../shared/errors';
import type { Run } from '../shared/run';
import type { Panel } from './panel';
import type { Panels } from './panels';

/** The run that a command without arguments is about: that of the panel in front, or of the only one that can be seen. */
export function runInFront({ all }: Pick<Panels, 'all'>): { run: Run; panel: Panel } {
  const visible = all.filter((panel) => panel.visible);
  const panel = all.find((each) => each.active) ?? (visible.length === 1 ? visible[0] : undefined);
  if (!panel?.run) throw new CircuitError('usage', 'Open a panel with a run first.');
  return { run: panel.run, panel };
}
