import { drawingOf, scoreText, type DrawingOptions } from './drawing';
import type { EdgeMask } from './mask';
import type { GraphShape } from './nodes';

/** A circuit in Graphviz's language, layers upward. Every edge carries its score as an attribute of that name, for programs that read it. */
export function toDot(shape: GraphShape, mask: EdgeMask, scores: Float32Array, options: DrawingOptions = {}): string {
  const { title, nodes, edges } = drawingOf(shape, mask, scores, options);
  const ranks = [...new Set(nodes.map(({ rank }) => rank))].map((rank) => nodes.filter((node) => node.rank === rank));
  return [
    'digraph circuit {',
    '  rankdir=BT;',
    // \l ends a line that is set to the left. Free text never stands last in a string: some versions of Graphviz stumble over a backslash there.
    ...(title === undefined ? [] : [`  label="${escaped(title)}\\l";`]),
    '  node [shape=box, style=rounded, fontname=Helvetica];',
    '  edge [fontname=Helvetica, fontsize=10];',
    ...nodes.map(({ id, name }) => `  "${id}" [label="${name === undefined ? '' : `${escaped(name)}\\n`}${id}"];`),
    ...ranks.filter((rank) => rank.length > 1).map((rank) => `  { rank=same; ${rank.map(({ id }) => `"${id}";`).join(' ')} }`),
    ...edges.map(({ from, to, port, score, colour, width }) => {
      const attributes = [...(port ? [`label="${port}"`] : []), `color="${colour}"`, `penwidth=${width.toFixed(2)}`, `score="${scoreText(score)}"`];
      return `  "${from}" -> "${to}" [${attributes.join(', ')}];`;
    }),
    '}',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
