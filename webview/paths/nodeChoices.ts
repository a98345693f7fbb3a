import { nodeName, type GraphNode, type GraphShape } from '../../src/shared/graph/nodes';
import type { GraphNotes } from '../../src/shared/paths';
import type { Choice } from '../view/dom';
import { nodeTitle } from './pathText';

/** Every node of the model to choose from: pinned and named ones first, then layer by layer. */
export function nodeChoices({ layers, heads }: GraphShape, { names, pinned }: Pick<GraphNotes, 'names' | 'pinned'>): Choice<string>[] {
  const choice = (node: GraphNode, group: string): Choice<string> => {
    const name = nodeName(node);
    const given = names[name];
    return { value: name, label: nodeTitle(node) + (given === undefined ? '' : ` (${given})`), group };
  };
  const all = [
    choice({ kind: 'input' }, 'Ends'),
    choice({ kind: 'logits' }, 'Ends'),
    ...Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) => [
      ...Array.from({ length: heads }, (_, head) => choice({ kind: 'head', layer, head }, `Layer ${layer}`)),
      choice({ kind: 'mlp', layer }, `Layer ${layer}`),
    ]),
  ];
  const marked = new Set([...pinned, ...Object.keys(names)]);
  return [...all.filter(({ value }) => marked.has(value)).map((own) => ({ ...own, group: 'Pinned and named' })), ...all.filter(({ value }) => !marked.has(value))];
}
