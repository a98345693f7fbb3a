import type { GraphShape } from '../../src/shared/graph/nodes';
import type { GraphNotes } from '../../src/shared/paths';
import type { Palette } from '../model/colour';
import type { DrawnGraph } from './drawnGraph';
import { groupNames } from './graphNotes';
import type { NodeLooks } from './nodeShapes';

/** How the nodes of a graph look: coloured by their own score, marked as the person has named and pinned them. */
export function nodeLooks(shape: GraphShape, { nodes, ends, largestNode }: DrawnGraph, notes: GraphNotes, palette: Palette, focus: string | undefined, path: readonly string[] | undefined): NodeLooks {
  const groups = groupNames(notes);
  const reached = new Set(ends.flatMap(({ to, port }) => (port ? [`${to} ${port}`] : [])));
  return {
    ...{ shape, palette, names: notes.names, pinned: new Set(notes.pinned), focus },
    shareOf: (name) => {
      const node = nodes.get(name);
      return node && (largestNode > 0 ? node.score / largestNode : 0);
    },
    isReached: (name, port) => reached.has(`${name} ${port}`),
    groupOf: (name) => {
      const given = notes.names[name];
      return given === undefined ? undefined : groups.indexOf(given);
    },
    ...(path && { highlighted: new Set(path) }),
  };
}
