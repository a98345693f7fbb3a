import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import type { GraphPage, GraphRequest } from '../../src/shared/pathsProtocol';
import { formatScore } from '../../webview/model/format';
import { edgeCurve, nearest, outlineOf, pointOn } from '../../webview/paths/curve';
import { drawnGraph } from '../../webview/paths/drawnGraph';
import { inputOf, outputOf, type PlacedNode } from '../../webview/paths/layout';
import { edgeEnds, edgeTitle, titleOf } from '../../webview/paths/pathText';
import { graphPage } from './fakePaths';
import { eventually, requests } from './openView';
import { withSampleEdges } from './samplePaths';
import { sampleRun } from './sampleRuns';

/** What the tests of the paths view share. */

export const run = withSampleEdges(sampleRun('gpt2'), {});
export const shape = run.manifest.model;

/** What the host answers for the sample of GPT-2's shape. */
export function expectedPage(part: Partial<GraphRequest> = {}): GraphPage {
  return graphPage(run, { runId: run.manifest.id, options: { pair: 'all', unit: 'normalised' }, choose: { top: 40 }, mode: 'direct', ...part });
}

export const graph = (page: Page): Locator => page.getByRole('application', { name: /^Graph of paths/ });
export const node = (page: Page, name: string): Locator => page.locator(`.graph-node[data-name="${name}"]`);
export const count = (page: Page): Locator => page.locator('.edge-count');
export const topBox = (page: Page): Locator => page.getByRole('spinbutton', { name: 'Strongest edges', exact: true });
export const slider = (page: Page): Locator => page.getByRole('slider', { name: 'Threshold of |score|' });
export const edgeRows = (page: Page): Locator => page.locator('.edge-table tbody tr');

/** Waits until so many edges are drawn, in the graph and in its table. */
export async function drawn(page: Page, edges: number): Promise<void> {
  await eventually(async () => assert.equal(await page.locator('.edge-canvas').first().getAttribute('data-edges'), String(edges)));
}

/** "L9H9 Logits  +0.311", row by row as the table has them. */
export async function listed(page: Page): Promise<string[]> {
  return edgeRows(page).evaluateAll((rows) => rows.map((row) => [...row.children].slice(0, 4).map((cell) => cell.textContent).join(' ')));
}

export function rowsOf({ edges }: GraphPage): string[] {
  return edges.map((edge) => {
    const { from, to, port = '' } = edgeEnds(shape, edge);
    return `${titleOf(shape, from)} ${titleOf(shape, to)} ${port} ${formatScore(edge.score)}`;
  });
}

export const titles = ({ edges }: GraphPage): string[] => edges.map((edge) => edgeTitle(shape, edge));

export async function lastGraphRequest(page: Page): Promise<GraphRequest> {
  return (await requests(page, 'graph')).at(-1) as unknown as GraphRequest;
}

/** A point of an edge of the first 40 on the screen, clear of nodes and of other edges. */
export async function pointOnEdge(page: Page, index: number): Promise<{ x: number; y: number }> {
  const { layout, ends } = drawnGraph(shape, expectedPage(), []);
  const placed = (name: string): PlacedNode => layout.nodes.find((own) => own.name === name)!;
  const curves = ends.map(({ from, to, port }) => edgeCurve(outputOf(placed(from)), inputOf(placed(to), port)));
  const outlines = curves.map(outlineOf);
  const free = Array.from({ length: 99 }, (_, i) => pointOn(curves[index]!, (i + 1) / 100)).find(
    ({ x, y }) => nearest(outlines.filter((_, other) => other !== index), { x, y }, 12) === -1 && layout.nodes.every((own) => x < own.x - 4 || x > own.x + own.width + 4 || y < own.y - 4 || y > own.y + own.height + 16),
  )!;
  const box = (await graph(page).boundingBox())!;
  const [, x, y, k] = /translate\((.+)px, (.+)px\) scale\((.+)\)/.exec(await page.locator('.node-layer').evaluate((layer) => (layer as SVGElement).style.transform))!.map(Number);
  // Inside the border.
  return { x: box.x + 1 + x! + free.x * k!, y: box.y + 1 + y! + free.y * k! };
}
