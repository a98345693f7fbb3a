import { edgeName, type GraphShape } from '../../src/shared/graph/nodes';
import type { DrawnNode, GraphPage } from '../../src/shared/pathsProtocol';
import { layoutGraph, type Layout } from './layout';
import { edgeEnds, type EdgeEnds } from './pathText';

/** A page made ready to be drawn and read. */
export interface DrawnGraph {
  page: GraphPage;
  ends: EdgeEnds[];
  /** As `edgeName` writes them. */
  names: string[];
  layout: Layout;
  nodes: ReadonlyMap<string, DrawnNode>;
  /** |score| of the strongest edge and of the strongest node but the logits. */
  largest: number;
  largestNode: number;
}

/** Pinned nodes that have no edge at the present threshold stand in a column of their own. */
export const PINNED_COLUMN = 'pinned';

export function drawnGraph(shape: GraphShape, page: GraphPage, pinned: readonly string[]): DrawnGraph {
  const nodes = new Map(page.nodes.map((node) => [node.name, node]));
  const absent = pinned.filter((name) => !nodes.has(name)).map((name) => ({ name, column: page.columns.length }));
  return {
    page,
    ends: page.edges.map((edge) => edgeEnds(shape, edge)),
    names: page.edges.map((edge) => edgeName(shape, edge)),
    layout: layoutGraph(shape, [...page.nodes, ...absent], [...page.columns, PINNED_COLUMN]),
    nodes,
    largest: page.edges.reduce((largest, { score }) => Math.max(largest, Math.abs(score)), 0),
    largestNode: page.nodes.reduce((largest, { name, score }) => (name === 'logits' ? largest : Math.max(largest, Math.abs(score))), 0),
  };
}

/** The edges of one of the page's paths, step by step; a path is named by its nodes, and takes the strongest edge between two of them. −1 where none is drawn. */
export function edgesOnPath({ ends }: Pick<DrawnGraph, 'ends'>, nodes: readonly string[]): number[] {
  return nodes.slice(1).map((to, place) => ends.findIndex((edge) => edge.from === nodes[place] && edge.to === to));
}
