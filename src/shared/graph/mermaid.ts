import { drawingOf, scoreText, type DrawingOptions } from './drawing';
import type { EdgeMask } from './mask';
import type { GraphShape } from './nodes';

/** A circuit as a Mermaid flowchart, layers upward. Mermaid draws no more than 500 edges unless its own setting `maxEdges` says so. */
export function toMermaid(shape: GraphShape, mask: EdgeMask, scores: Float32Array, options: DrawingOptions = {}): string {
  const { title, nodes, edges } = drawingOf(shape, mask, scores, options);
  return [
    ...(title === undefined ? [] : ['---', `title: ${JSON.stringify(title)}`, '---']),
    'flowchart BT',
    ...nodes.map(({ id, name }) => `  ${identifier(id)}["${escaped(name === undefined ? id : `${id} ${name}`)}"]`),
    ...edges.map(({ from, to, port, score }) => `  ${identifier(from)} -->|"${escaped(`${port ? `${port} ` : ''}${scoreText(score)}`)}"| ${identifier(to)}`),
    ...edges.map(({ colour, width }, i) => `  linkStyle ${i} stroke:${colour},stroke-width:${width.toFixed(2)}px`),
    '',
  ].join('\n');
}

/** `a5.h1` as `a5_h1`: a dot would end the name. */
function identifier(node: string): string {
  return node.replace('.', '_');
}

/** Whatever could mean something to Mermaid or to HTML as an entity by its number. */
function escaped(text: string): string {
  return text.replaceAll(/[^\p{L}\p{M}\p{N} .,:()+\-_]/gu, (character) => `#${character.codePointAt(0)!};`);
}
