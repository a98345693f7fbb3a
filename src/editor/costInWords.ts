import type { PatchCost } from '../shared/panelProtocol';

/** "10 heads, 3 of them measured already: about 4 s." */
export function costInWords({ cells, known, seconds }: PatchCost): string {
  const heads = `${cells} ${cells === 1 ? 'head' : 'heads'}`;
  if (known === cells) return `${heads}, measured already.`;
  const time = seconds < 1 ? 'less than a second' : seconds < 90 ? `about ${Math.round(seconds)} s` : `about ${Math.round(seconds / 60)} min`;
  return `${heads}${known > 0 ? `, ${known} of them measured already` : ''}: ${time}.`;
}
