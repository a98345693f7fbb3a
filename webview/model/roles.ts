import type { RunSummary } from '../../src/shared/panelProtocol';
import type { Matrix, ViewOptions } from '../../src/shared/views';
import type { TextCount } from '../../src/shared/tokenColumns';
import type { Behind, CellDescription } from './describe';
import { formatScore } from './format';
import { listTexts, shortTexts } from './tokens';
import { rolesOf } from './viewState';

/** Positions lined up by the names that the file gives them, wherever they are in each pair. */

type RunOfRoles = Pick<RunSummary, 'pairs' | 'groups'>;

export interface RoleColumn {
  name: string;
  /** Which column of its own map each pair in view has there; pairs without the name are left out. */
  places: { pair: number; column: number }[];
  /** What stands there in the clean prompts. */
  texts: TextCount[];
}

export function roleColumns(run: RunOfRoles, shown: ViewOptions['pair']): RoleColumn[] {
  return rolesOf(run).map((name) => {
    const places = run.pairs.flatMap(({ positions, clean, at }, pair) => {
      const position = positions?.[name];
      if (position === undefined || (shown !== 'all' && shown !== pair)) return [];
      const group = run.groups.find(({ pairs }) => pairs.includes(pair))!;
      if (group.positions === 'all') return [{ pair, column: position, text: clean[position]?.text ?? '' }];
      // Only the metric's position was computed.
      return position === (at ?? clean.length - 1) ? [{ pair, column: 0, text: clean[position]?.text ?? '' }] : [];
    });
    const counts = new Map<string, number>();
    for (const { text } of places) counts.set(text, (counts.get(text) ?? 0) + 1);
    const texts = Array.from(counts, ([text, count]) => ({ text, count })).sort((a, b) => b.count - a.count);
    return { name, places: places.map(({ pair, column }) => ({ pair, column })), texts };
  });
}

/** Layer × role: the shares of all pairs in view, each at its own position. `maps`: every pair's own layer × position map. */
export function gatherRoles(roles: readonly RoleColumn[], maps: ReadonlyMap<number, Matrix>): Matrix {
  const rows = Math.max(1, ...Array.from(maps.values(), (map) => map.rows));
  const values = new Float32Array(rows * roles.length);
  roles.forEach(({ places }, role) => {
    for (let row = 0; row < rows; row++) {
      values[row * roles.length + role] = places.reduce((sum, place) => sum + shareOf(maps, place, row), 0);
    }
  });
  return { axes: ['layer', 'position'], rows, columns: roles.length, values };
}

/** What each pair adds to a cell, by falling magnitude. */
export function pairsBehind({ places }: RoleColumn, maps: ReadonlyMap<number, Matrix>, row: number): { pair: number; value: number }[] {
  return places.map((place) => ({ pair: place.pair, value: shareOf(maps, place, row) })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

function shareOf(maps: ReadonlyMap<number, Matrix>, { pair, column }: { pair: number; column: number }, row: number): number {
  const map = maps.get(pair);
  return map ? map.values[row * map.columns + column]! : 0;
}

export function roleTitle({ name, texts }: RoleColumn): string {
  return `${name} “${shortTexts(texts)}”`;
}

/** What is said of a cell: its number, and which pairs it comes from. */
export function describeRole(
  rowNames: { label: string; spoken: string },
  role: RoleColumn,
  numbers: Pick<CellDescription, 'value' | 'unit' | 'rank' | 'cells'>,
  behind: readonly { pair: number; value: number }[],
  run: Pick<RunSummary, 'pairs'>,
  most: number,
): CellDescription {
  const items = behind.filter(({ value }) => value !== 0).map(({ pair, value }) => ({ label: run.pairs[pair]!.name, value }));
  const explained: Behind =
    items.length === 0 ? { state: 'none', message: 'Nothing behind it: every pair’s share is exactly 0.' } : { state: 'ready', heading: 'Shares of the pairs', items: items.slice(0, most), more: Math.max(0, items.length - most) };
  return {
    title: `${rowNames.label} · ${role.name}`,
    sentence: `${rowNames.spoken}, ${role.name}, ${formatScore(numbers.value)}, rank ${numbers.rank}`,
    ...numbers,
    tokens: listTexts(role.texts),
    behind: explained,
  };
}
