import type { FrameLocator, Locator } from 'playwright-core';
import { readNumber } from './panelPage';

export interface ShownEdge {
  /** As EAP-IG names it: `a5.h5->a8.h6<v>`. */
  edge: string;
  score: number;
  exact?: number;
}

/** The panel's graph of paths as a person sees it. */
export class PathsPage {
  constructor(readonly frame: FrameLocator) {}

  get graph(): Locator {
    return this.frame.getByRole('application', { name: /^Graph of paths/ });
  }

  get count(): Locator {
    return this.frame.locator('.edge-count');
  }

  get threshold(): Locator {
    return this.frame.getByRole('slider', { name: 'Threshold of |score|' });
  }

  get top(): Locator {
    return this.frame.getByRole('spinbutton', { name: 'Strongest edges', exact: true });
  }

  get details(): Locator {
    return this.frame.getByRole('region', { name: 'Selected edge' });
  }

  get notes(): Locator {
    return this.frame.getByRole('region', { name: 'Names and notes' });
  }

  node(name: string): Locator {
    return this.frame.locator(`.graph-node[data-name="${name}"]`);
  }

  /** A node's table: "Inputs to q", "Outputs". */
  nodeTable(title: string): Locator {
    return this.frame.locator('.node-table', { has: this.frame.locator(`h3:text-is("${title}")`) });
  }

  row(edge: string): Locator {
    return this.frame.locator(`.edge-table tbody tr[data-name="${edge}"]`);
  }

  /** How many edges are in the drawing. */
  async drawn(): Promise<number> {
    return Number(await this.frame.locator('.edge-canvas').first().getAttribute('data-edges'));
  }

  /** The drawn edges as a picture, for telling one drawing from another. */
  async picture(): Promise<string> {
    return this.frame.locator('canvas.edge-canvas').first().evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  }

  /** The rows of a table of edges: of the drawn ones, or of a focused node. */
  async edges(table: Locator = this.frame.locator('.edge-table')): Promise<ShownEdge[]> {
    const rows = await table.locator('tbody tr').evaluateAll((shown) => shown.map((row) => ({ edge: row.dataset['name']!, numbers: [...row.querySelectorAll('td.number')].map((cell) => cell.textContent) })));
    return rows.map(({ edge, numbers: [score, exact] }) => ({ edge, score: readNumber(score!), ...(exact !== '' && { exact: readNumber(exact!) }) }));
  }
}

/** The panel's circuits as a person sees them. */
export class CircuitsPage {
  constructor(readonly frame: FrameLocator) {}

  get extraction(): Locator {
    return this.frame.getByRole('region', { name: 'Extract a circuit' });
  }

  get details(): Locator {
    return this.frame.getByRole('region', { name: 'Selected circuit', exact: true });
  }

  get curve(): Locator {
    return this.frame.getByRole('region', { name: 'Curve over budgets' });
  }

  get failure(): Locator {
    return this.frame.locator('.circuit-kept .failure');
  }

  button(name: string): Locator {
    return this.frame.getByRole('button', { name, exact: true });
  }

  /** The kept circuits: name, edges, nodes, faithfulness, knocked out, as they are written. */
  async kept(): Promise<string[][]> {
    return this.frame.locator('.circuit-kept tbody tr').evaluateAll((rows) => rows.map((row) => [...row.children].slice(0, 5).map((cell) => cell.textContent)));
  }

  async names(): Promise<string[]> {
    return (await this.kept()).map(([name]) => name!);
  }
}
