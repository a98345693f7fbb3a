import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PatchJson } from '../../src/cli/patchJson';
import { expectedByCli, patchByCli } from './cli';
import { assertMapEquals } from './expectations';
import { SAMPLE } from './samples';
import { Workbench } from './workbench';

/** From the guess to the truth: another site, the strongest cells patched exactly, how far the guess can be trusted, a head's attention. */
describe('verifying attribution in the workbench', () => {
  let workbench: Workbench;
  let values: PatchJson['sites'][0];
  const file = (name: string): string => path.join(workbench.folder, name);
  const exactOf = (): Map<string, number> => {
    const rows = values.maps[0]!.exact as (number | null)[][];
    return new Map(rows.flatMap((row, layer) => row.flatMap((value, head) => (value === null ? [] : [[`L${layer}H${head}`, value] as [string, number]]))));
  };

  before(async () => {
    workbench = await Workbench.open({ 'ioi.prompts.json': await readFile(SAMPLE, 'utf8') });
    await workbench.page.setViewportSize({ width: 1640, height: 1120 });
    await workbench.explorerMenu('ioi.prompts.json', 'Rerun attribution');
    await workbench.panel.waitForRun('ioi.prompts.json');
    values = (await patchByCli(file('ioi.prompts.json'), '--site', 'v', '--top', '10')).sites[0]!;
  });
  after(() => workbench.close());

  it('shows another site, with the numbers of the command line', async () => {
    const { panel } = workbench;
    await panel.choose('heads', 'Site', 'Values (v)');
    const expected = values.maps[0]!.estimate as number[][];
    await workbench.settles(async () => Math.abs((await panel.values('heads')).get('L0H0')! - expected[0]![0]!) < 1e-5, true);
    assertMapEquals(await panel.values('heads'), expected, 'H');
  });

  it('patches the ten strongest cells exactly, as the command line does', async () => {
    const { panel } = workbench;
    await panel.map('heads').getByRole('button', { name: 'Verify top' }).click();
    const expected = exactOf();
    assert.equal(expected.size, 10);
    await workbench.settles(async () => (await panel.measuredNames('heads')).sort(), [...expected.keys()].sort());
    await workbench.screenshot('verified-top-10');
    await panel.show('heads', 'Exact');
    await workbench.settles(async () => panel.map('heads').locator('.cell:not(.unmeasured)').count(), 10);
    const shown = await panel.values('heads');
    const largest = Math.max(...[...expected.values()].map(Math.abs));
    for (const [name, value] of expected) {
      const own = shown.get(name)!;
      assert.ok(Math.abs(own - value) <= 1e-4 * largest, `${name}: ${own} on the screen, ${value} from the command line`);
    }
    await panel.show('heads', 'Estimate');
  });

  it('patches one cell more by a click', async () => {
    const { panel } = workbench;
    const unmeasured = panel.map('heads').locator('.cell:not(.measured)').first();
    const name = (await unmeasured.getAttribute('data-name'))!;
    await unmeasured.click();
    await panel.frame.getByRole('button', { name: 'Verify this cell' }).click();
    await workbench.settles(async () => (await panel.measuredNames('heads')).includes(name), true);
    assert.equal((await panel.measuredNames('heads')).length, 11);
    await panel.frame.locator('body').press('Escape');
  });

  it('says how well estimate and truth agree, as the command line does', async () => {
    const { panel } = workbench;
    const { agreement } = (await patchByCli(file('ioi.prompts.json'), '--site', 'v', '--full')).sites[0]!;
    await panel.map('heads').getByRole('button', { name: 'Verify all' }).click();
    await workbench.settles(async () => (await panel.measuredNames('heads')).length, agreement.count);
    await panel.view('Trust');
    const figure = async (name: string): Promise<number> => Number((await panel.frame.locator('.trust-view dl div', { has: panel.frame.locator(`dt:text-is("${name}")`) }).locator('dd').innerText()).replace('\u2212', '-'));
    await workbench.settles(() => figure('n'), agreement.count);
    for (const [name, expected] of [['r', agreement.pearson], ['ρ', agreement.spearman], ['slope', agreement.slope]] as const) {
      const shown = await figure(name);
      assert.ok(Math.abs(shown - expected!) <= 0.00051, `${name} ${shown} on the screen, ${expected} from the command line`);
    }
    assert.equal(await panel.frame.locator('.scatter circle').count(), agreement.count);
    await workbench.screenshot('trust');
  });

  it('exports the map as CSV', async () => {
    const { panel } = workbench;
    await panel.frame.getByRole('button', { name: 'Export' }).first().click();
    const input = workbench.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    const name = 'ioi-v-heads-normalised-denoise.csv';
    await workbench.settles(async () => (await input.inputValue()).endsWith(name), true);
    await workbench.page.keyboard.press('Enter');
    await workbench.settles(() => readFile(file(name), 'utf8').then((text) => text.trim().split('\n').length > 1, () => false), true);
    const lines = (await readFile(file(name), 'utf8')).trim().split(/\r?\n/);
    const columns = lines[0]!.split(',');
    const [layer, head, exact] = ['layer', 'head', 'exact'].map((name) => columns.indexOf(name)) as [number, number, number];
    const written = new Map(lines.slice(1).map((line) => line.split(',')).map((cells) => [`L${cells[layer]}H${cells[head]}`, Number(cells[exact])]));
    for (const [cell, value] of exactOf()) assert.ok(Math.abs(written.get(cell)! - value) < 1e-3, `${cell}: ${written.get(cell)} in the file, ${value} from the command line`);
  });

  it('opens the attention of the strongest head', async () => {
    const { panel } = workbench;
    await panel.view('Heatmaps');
    const strongest = [...exactOf()].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))[0]![0];
    await panel.cell('heads', strongest).click();
    await panel.view('Attention');
    await workbench.settles(async () => panel.frame.locator('.attention-head h2').allTextContents(), [strongest]);
    assert.deepEqual(await panel.frame.locator('.matrix-title').allTextContents(), ['Clean', 'Corrupted', 'Clean − corrupted', 'Attribution']);
    await workbench.screenshot('attention');
  });

  it('patches the cell of a pattern exactly, as the command line does', async () => {
    const { panel } = workbench;
    const row = panel.frame.locator('.attention tbody tr').first();
    const [head, dest, src] = (await row.getAttribute('data-name'))!.split(' ').map(Number) as [number, number, number];
    const layer = Number(/^L(\d+)/.exec(await panel.frame.locator('.attention-head h2').innerText())![1]);
    await row.getByRole('button', { name: 'Verify' }).click();
    const shown = row.locator('td').last();
    await workbench.settles(async () => /^[+−]/.test(await shown.innerText()), true);
    const { maps } = (await patchByCli(file('ioi.prompts.json'), '--pair', '1', '--site', 'pattern', '--over', 'cells', '--head', `${layer}.${head}`, '--full')).sites[0]!;
    assertShown(await shown.innerText(), (maps[0]!.exact as number[][])[dest]![src]!);
    await workbench.screenshot('verified-pattern-cell');
  });

  it('shows what the model says and what writes it', async () => {
    const { panel } = workbench;
    await panel.view('Logits');
    await panel.frame.locator('.lens-line').first().waitFor();
    assert.match(await panel.frame.locator('.prediction-list').first().innerText(), /Mary/);
    await workbench.screenshot('logits');
    await panel.view('Heatmaps');
  });

  it('has what was measured once more after a reload, computing nothing anew', async () => {
    await workbench.reload();
    const { panel } = workbench;
    await panel.waitForRun('ioi.prompts.json');
    await workbench.settles(async () => (await panel.measuredNames('heads')).length, values.cells);
  });

  it('runs again with neurons, and patches the strongest exactly, as the command line does', async () => {
    const { panel } = workbench;
    await panel.view('Neurons');
    await panel.frame.getByRole('button', { name: 'Run again with neurons' }).click();
    const row = panel.frame.locator('.neurons tbody tr').first();
    await row.getByRole('button', { name: 'Verify' }).click();
    const shown = row.locator('.exact');
    await workbench.settles(async () => /^[+−]/.test(await shown.innerText()), true);
    const [, layer, neuron] = /^L(\d+)N(\d+)$/.exec(await row.locator('th').innerText())!.map(Number) as [number, number, number];
    const { maps } = (await patchByCli(file('ioi.prompts.json'), '--site', 'mlp_post', '--top', '1')).sites[0]!;
    assertShown(await shown.innerText(), (maps[0]!.exact as number[][])[layer]![neuron]!);
    await workbench.screenshot('verified-neuron');
    await panel.view('Heatmaps');
  });

  it('runs again with another metric and direction', async () => {
    const { panel } = workbench;
    await panel.frame.getByRole('button', { name: 'Change…' }).click();
    await panel.frame.locator('#change').getByLabel('Metric').selectOption({ label: 'log-probability' });
    await panel.frame.locator('#change').getByRole('radio', { name: 'noise', exact: true }).check({ force: true });
    await panel.frame.locator('#change').getByRole('button', { name: 'Run again' }).click();
    await workbench.settles(async () => (await panel.fact('Metric').innerText()).includes('log'), true);
    await panel.choose('heads', 'Site', 'Head output (z)');
    const expected = await expectedByCli(file('ioi.prompts.json'), '--metric', 'logProb', '--direction', 'noise');
    await workbench.settles(async () => Math.abs((await panel.values('heads')).get('L0H0')! - expected.heads.allPositions[0]![0]!) < 1e-5, true);
    assertMapEquals(await panel.values('heads'), expected.heads.allPositions, 'H');
    await workbench.screenshot('another-metric');
  });
});

/** Three digits are shown. */
function assertShown(text: string, expected: number): void {
  const shown = Number(text.replace('−', '-').replace('e−', 'e-'));
  assert.ok(Math.abs(shown - expected) <= 0.006 * Math.abs(expected), `${text} on the screen, ${expected} from the command line`);
}
