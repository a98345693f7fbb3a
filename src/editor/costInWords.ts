import { roughly } from '../shared/durations';
import type { PatchCost } from '../shared/panelProtocol';
import { plural } from '../shared/text';

/** "10 heads, 3 of them measured already: about 4 s." */
export function costInWords({ cells, known, seconds }: PatchCost): string {
  const heads = plural(cells, 'head');
  if (known === cells) return `${heads}, measured already.`;
  return `${heads}${known > 0 ? `, ${known} of them measured already` : ''}: ${roughly(seconds)}.`;
}
