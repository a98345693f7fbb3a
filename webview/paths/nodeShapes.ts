import { select } from 'd3';
import { PORTS, type GraphShape, type Port } from '../../src/shared/graph/nodes';
import type { Palette } from '../model/colour';
import { inputOf, LEFT, PORT_RADIUS, type Layout, type PlacedNode } from './layout';
import { nodeTitle } from './pathText';

/** The nodes of the graph as SVG: heads as boxes with three ports, MLPs as hexagons, input and logits as pills. */

export interface NodeLooks {
  shape: GraphShape;
  palette: Palette;
  /** Share of the strongest node, −1 … 1; undefined for nodes that are not there at the present threshold. */
  shareOf(name: string): number | undefined;
  /** Whether an edge is drawn into this port. */
  isReached(name: string, port: Port): boolean;
  names: Readonly<Record<string, string>>;
  /** Mark of the node's group, from 0; undefined for nodes without a name. */
  groupOf(name: string): number | undefined;
  pinned: ReadonlySet<string>;
  focus?: string;
  /** On the paths that are highlighted; undefined: none are. */
  highlighted?: ReadonlySet<string>;
}

export const GROUP_MARKS = 6;
const LONGEST_NAME = 12;

export function drawNodes(svg: SVGSVGElement, layout: Layout, looks: NodeLooks): void {
  const root = select(svg).attr('width', layout.width).attr('height', layout.height).attr('viewBox', `0 0 ${layout.width} ${layout.height}`);
  root
    .selectAll<SVGLineElement, Layout['rows'][number]>('line.layer-line')
    .data(layout.rows, ({ text }) => text)
    .join((enter) => enter.insert('line', ':first-child'))
    .attr('class', 'layer-line')
    .attr('x1', LEFT - 8)
    .attr('x2', layout.width)
    .attr('y1', ({ y }) => y)
    .attr('y2', ({ y }) => y);
  root
    .selectAll<SVGTextElement, Layout['rows'][number]>('text.layer-name')
    .data(layout.rows, ({ text }) => text)
    .join('text')
    .attr('class', 'layer-name')
    .attr('x', 4)
    .attr('y', ({ y }) => y + 4)
    .text(({ text }) => text);
  root
    .selectAll<SVGTextElement, Layout['columns'][number]>('text.column-name')
    .data(layout.columns)
    .join('text')
    .attr('class', 'column-name')
    .attr('x', ({ x, width }) => x + width / 2)
    .attr('y', layout.height - 6)
    .attr('text-anchor', 'middle')
    .text(({ text }) => text);
  const nodes = root
    .selectAll<SVGGElement, PlacedNode>('g.graph-node')
    .data(layout.nodes, ({ name }) => name)
    .join((enter) => {
      const group = enter.append('g').attr('data-name', ({ name }) => name);
      group.append('path').attr('class', 'node-outline');
      group.append('path').attr('class', 'node-body');
      group.append('text').attr('class', 'node-title').attr('text-anchor', 'middle');
      group.filter(({ node }) => node.kind === 'head').each(function (placed) {
        for (const port of PORTS) addPort(this, placed, port);
      });
      return group;
    })
    .attr('class', ({ name, node }) => nodeClasses(name, node.kind, looks))
    .attr('transform', ({ x, y }) => `translate(${x},${y})`);
  nodes.select('.node-body').attr('d', bodyOf).each(function ({ name, node }) {
    const fill = node.kind === 'logits' ? undefined : looks.shareOf(name);
    (this as SVGPathElement).style.fill = fill === undefined ? '' : looks.palette.colourAt(fill);
  });
  nodes.select('.node-outline').attr('d', bodyOf);
  nodes
    .select<SVGTextElement>('.node-title')
    .attr('x', ({ width }) => width / 2)
    .attr('y', ({ height }) => height / 2 + 5)
    .text(({ node }) => nodeTitle(node))
    .each(function ({ name, node }) {
      const share = node.kind === 'logits' ? undefined : looks.shareOf(name);
      this.style.fill = share === undefined ? '' : looks.palette.textOn(looks.palette.colourAt(share));
    });
  nodes.each(function ({ name, width }) {
    const node = select(this);
    const given = looks.names[name];
    node.selectAll('.given-name').data(given === undefined ? [] : [given]).join('text').attr('class', 'given-name').attr('text-anchor', 'middle').attr('x', width / 2).attr('y', -5).text(shortened);
    node.selectAll('.pin-mark').data(looks.pinned.has(name) ? [name] : []).join('path').attr('class', 'pin-mark').attr('d', `M${width - 5},-4 h8 v8 h-8 Z`);
    for (const port of PORTS) node.select(`.port.${port}`).classed('reached', looks.isReached(name, port));
  });
}

/** As much of a name as fits over a node; the tables and the tooltip have all of it. */
function shortened(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
}

function nodeClasses(name: string, kind: string, { focus, groupOf, highlighted, shareOf }: NodeLooks): string {
  const group = groupOf(name);
  return [
    'graph-node',
    kind,
    name === focus ? 'focused' : '',
    group === undefined ? '' : `named mark${group % GROUP_MARKS}`,
    shareOf(name) === undefined ? 'absent' : '',
    highlighted && !highlighted.has(name) ? 'dimmed' : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function bodyOf({ node, width, height }: PlacedNode): string {
  if (node.kind === 'mlp') return `M8,0 H${width - 8} L${width},${height / 2} L${width - 8},${height} H8 L0,${height / 2} Z`;
  const r = node.kind === 'head' ? 4 : height / 2;
  return `M${r},0 H${width - r} a${r},${r} 0 0 1 ${r},${r} V${height - r} a${r},${r} 0 0 1 ${-r},${r} H${r} a${r},${r} 0 0 1 ${-r},${-r} V${r} a${r},${r} 0 0 1 ${r},${-r} Z`;
}

/** q a circle, k a square, v a triangle, each with its letter. */
function addPort(element: SVGGElement, placed: PlacedNode, port: Port): void {
  const at = inputOf(placed, port);
  const group = select(element).append('g').attr('class', `port ${port}`).attr('transform', `translate(${at.x - placed.x},${at.y - placed.y})`);
  const r = PORT_RADIUS;
  const outlines: Record<Port, string> = {
    q: `M${-r},0 a${r},${r} 0 1 0 ${2 * r},0 a${r},${r} 0 1 0 ${-2 * r},0 Z`,
    k: `M${-r},${-r} h${2 * r} v${2 * r} h${-2 * r} Z`,
    v: `M${-r - 1.5},${-r} h${2 * r + 3} L0,${r + 2} Z`,
  };
  group.append('path').attr('d', outlines[port]);
  group.append('text').attr('text-anchor', 'middle').attr('y', port === 'v' ? 1.5 : 2.6).text(port);
}

