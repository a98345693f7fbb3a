import type { GraphShape } from '../../src/shared/graph/nodes';
import type { DrawnEdge, DrawnNode } from '../../src/shared/pathsProtocol';
import { formatScore } from '../model/format';
import { el } from '../view/dom';
import type { DrawnGraph } from './drawnGraph';
import { edgeEnds, edgeTitle, portWords, titleOf, titleWithName } from './pathText';

/** What the tooltip and the details say of an edge and of a node. */

export function edgeCard(shape: GraphShape, edge: DrawnEdge, rank: number, unit: string): HTMLElement[] {
  const { to, port } = edgeEnds(shape, edge);
  return [
    el('div', { class: 'card-title', text: edgeTitle(shape, edge) }),
    el('div', { class: 'card-value' }, [el('strong', { text: formatScore(edge.score) }), ` ${unit} · rank ${rank} of the drawn`]),
    edge.exact === undefined
      ? el('div', { class: 'card-note', text: 'Estimate; not measured exactly.' })
      : el('div', { class: 'card-exact' }, [el('strong', { text: formatScore(edge.exact) }), ` exact · the estimate is off by ${formatScore(edge.score - edge.exact)}`]),
    ...(port ? [el('div', { class: 'card-note', text: `Into the ${portWords(port)} input of ${titleOf(shape, to)}` })] : []),
  ];
}

const STRONGEST = 3;

export function nodeCard(shape: GraphShape, name: string, node: DrawnNode | undefined, graph: DrawnGraph, names: Readonly<Record<string, string>>, unit: string): HTMLElement[] {
  const title = el('div', { class: 'card-title', text: titleWithName(shape, name, names) });
  if (!node) return [title, el('div', { class: 'card-note', text: 'Pinned; none of its edges is drawn at this threshold.' })];
  const lines = (heading: string, side: 'from' | 'to'): HTMLElement[] => {
    const own = graph.page.edges.filter((_, index) => graph.ends[index]![side] === name);
    if (own.length === 0) return [];
    return [
      el('div', { class: 'card-heading', text: `${heading} (${own.length} drawn)` }),
      ...own.slice(0, STRONGEST).map((edge) => el('div', { class: 'card-note', text: `${edgeTitle(shape, edge)}  ${formatScore(edge.score)}` })),
    ];
  };
  return [
    title,
    el('div', { class: 'card-value' }, [el('strong', { text: formatScore(node.score) }), ` ${unit}, ${name === 'logits' ? 'the whole difference' : 'the node’s own attribution'}`]),
    ...lines('Strongest inputs', 'to'),
    ...lines('Strongest outputs', 'from'),
  ];
}

/** For the live region. */
export function nodeSentence(shape: GraphShape, name: string, node: DrawnNode | undefined, graph: DrawnGraph, names: Readonly<Record<string, string>>): string {
  const count = (side: 'from' | 'to'): number => graph.ends.filter((ends) => ends[side] === name).length;
  const score = node ? `, ${formatScore(node.score)}` : '';
  return `${titleWithName(shape, name, names)}${score}, ${count('to')} inputs and ${count('from')} outputs drawn`;
}
