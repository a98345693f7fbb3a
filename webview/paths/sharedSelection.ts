import { nodeName, nodeNamed, type GraphShape } from '../../src/shared/graph/nodes';
import type { Selection } from '../model/viewState';

/** The graph's nodes and the selection of the other views are one for heads. */

export function selectedHead(selection: Selection | undefined): string | undefined {
  return selection?.kind === 'head' ? nodeName(selection) : undefined;
}

/** Undefined for nodes that the heatmaps have no cell of. */
export function selectionOfNode(shape: GraphShape, name: string): Selection | undefined {
  const node = nodeNamed(shape, name);
  return node?.kind === 'head' ? node : undefined;
}
