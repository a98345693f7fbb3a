import type { GraphNotes } from '../../src/shared/paths';

/** What a person adds to the graph, changed piece by piece. */

export const NO_NOTES: GraphNotes = { names: {}, pinned: [], text: '' };

/** Without a name the node leaves its group. */
export function withName(notes: GraphNotes, node: string, name: string): GraphNotes {
  const others = Object.fromEntries(Object.entries(notes.names).filter(([own]) => own !== node));
  const given = name.trim();
  return { ...notes, names: given === '' ? others : { ...others, [node]: given } };
}

export function togglePin(notes: GraphNotes, node: string): GraphNotes {
  return { ...notes, pinned: notes.pinned.includes(node) ? notes.pinned.filter((name) => name !== node) : [...notes.pinned, node] };
}

/** Groups: nodes of one name, in the order of the names, so that a group keeps its mark. */
export function groupNames({ names }: Pick<GraphNotes, 'names'>): string[] {
  return [...new Set(Object.values(names))].sort((a, b) => a.localeCompare(b));
}
