import type { FrameLocator, Locator } from 'playwright-core';

export type MapName = 'heads' | 'positions';

/** The panel as a person sees it. Cells are named L3H5 (layer, head) or L3P14 (layer, position). */
export class PanelPage {
  constructor(readonly frame: FrameLocator) {}

  get title(): Locator {
    return this.frame.locator('.facts h1');
  }

  /** Waits until a run of this title is drawn. */
  async waitForRun(title: string | RegExp): Promise<void> {
    await this.frame.locator('.facts h1', { hasText: title }).waitFor();
    for (const map of ['heads', 'positions'] as const) await this.cells(map).first().waitFor();
  }

  /** What stands in the panel when a run has failed. */
  get failure(): Locator {
    return this.frame.locator('.message.failed');
  }

  get progress(): Locator {
    return this.frame.locator('.progress');
  }

  fact(name: string): Locator {
    return this.frame.locator('.fact', { has: this.frame.locator(`dt:text-is("${name}")`) }).locator('.fact-value');
  }

  cells(map: MapName): Locator {
    return this.frame.locator(`.map-section.${map} .cell`);
  }

  cell(map: MapName, name: string): Locator {
    return this.frame.locator(`.map-section.${map} .cell[data-name="${name}"]`);
  }

  /** Value of every cell of a map, by its name. */
  async values(map: MapName): Promise<Map<string, number>> {
    const entries = await this.cells(map).evaluateAll((cells) => cells.map((cell): [string, number] => [cell.dataset['name']!, Number(cell.dataset['value'])]));
    return new Map(entries);
  }

  /** Labels of a map's rows or columns in the order in which they stand on the screen. */
  async order(map: MapName, axis: 'row' | 'column'): Promise<string[]> {
    return this.frame.locator(`.map-section.${map} .${axis}-head`).evaluateAll(
      (heads, side) =>
        heads
          .map((head) => ({ text: head.textContent!.trim(), at: head.getBoundingClientRect()[side] }))
          .sort((a, b) => a.at - b.at)
          .map(({ text }) => text),
      axis === 'row' ? ('top' as const) : ('left' as const),
    );
  }

  /** Chooses in one of a map's drop-down lists. */
  async choose(map: MapName, label: string, choice: string): Promise<void> {
    const section = this.frame.locator(`.map-section.${map}`);
    if (label.startsWith('Order') && !(await section.locator('.further').isVisible())) await section.getByRole('button', { name: 'More' }).click();
    await section.getByLabel(label).selectOption({ label: choice });
  }

  map(map: MapName): Locator {
    return this.frame.locator(`.map-section.${map}`);
  }

  /** Goes to another view of the run. */
  async view(name: 'Heatmaps' | 'Trust' | 'Paths' | 'Circuits' | 'Attention' | 'Logits' | 'Neurons'): Promise<void> {
    await this.frame.getByRole('tab', { name }).click();
  }

  /** What a map's cells show. */
  async show(map: MapName, values: 'Estimate' | 'Exact' | 'Difference'): Promise<void> {
    await this.map(map).getByRole('radio', { name: values, exact: true }).check({ force: true });
  }

  /** Names of the cells that were patched exactly, where the map shows estimates. */
  async measuredNames(map: MapName): Promise<string[]> {
    return this.frame.locator(`.map-section.${map} .cell.measured`).evaluateAll((cells) => cells.map((cell) => cell.dataset['name']!));
  }

  get tooltip(): Locator {
    return this.frame.locator('#tooltip');
  }

  /** Hovers a cell and reads the tooltip: the cell's value, and what stands behind it once that is loaded. */
  async hover(map: MapName, name: string): Promise<{ value: number; rank: string; behind: { label: string; value: number }[] }> {
    await this.cell(map, name).hover();
    await this.tooltip.locator('.behind li, .card-note:not(:text("Loading"))').first().waitFor();
    const items = await this.tooltip.locator('.behind li').all();
    return {
      value: readNumber(await this.tooltip.locator('.card-value strong').innerText()),
      rank: /rank (\d+)/.exec(await this.tooltip.locator('.card-value').innerText())![1]!,
      behind: await Promise.all(
        items.map(async (item) => ({
          label: await item.locator('.behind-label').innerText(),
          value: readNumber(await item.locator('.behind-value').innerText()),
        })),
      ),
    };
  }

  /** Names in the table of the strongest cells, in its order. */
  async tableNames(): Promise<string[]> {
    return this.frame.locator('table.ranked tbody tr').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-name')!));
  }
}

/** Scores are written with a sign, and with U+2212 for minus. */
export function readNumber(text: string): number {
  const value = Number(text.replaceAll('\u2212', '-'));
  if (text.trim() === '' || Number.isNaN(value)) throw new Error(`"${text}" is no number`);
  return value;
}
