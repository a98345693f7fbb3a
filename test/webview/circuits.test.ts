import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { edgeCount } from '../../src/shared/graph/nodes';
import { selectCircuit, type CircuitSelection } from '../../src/shared/graph/select';
import { maskSize, nodeCount } from '../../src/shared/graph/mask';
import { edgeScores } from '../../src/shared/graph/stored';
import type { ViewOptions } from '../../src/shared/views';
import { selectedText } from '../../webview/circuits/words';
import { eventually, requests, stageForViews, textIs } from './openView';
import { withSampleEdges } from './samplePaths';
import { sampleRun } from './sampleRuns';

const run = withSampleEdges(sampleRun('gpt2'), {});
const shape = run.manifest.model;
const TOTAL = edgeCount(shape);

/** What the view says of a selection. */
function expected(selection: CircuitSelection, prune = true, options: ViewOptions = { pair: 'all', unit: 'normalised' }): string {
  const { mask, chosen } = selectCircuit(shape, edgeScores(run, options), selection, prune);
  return selectedText({ edges: maskSize(mask), nodes: nodeCount(shape, mask), chosen, total: TOTAL });
}

const live = (page: Page): Locator => page.locator('#live');
const selected = (page: Page): Locator => page.locator('.selected-circuit');
const rows = (page: Page): Locator => page.locator('.circuit-kept tbody tr');
const details = (page: Page): Locator => page.getByRole('region', { name: 'Selected circuit', exact: true });
const edgesBox = (page: Page): Locator => page.getByRole('spinbutton', { name: 'Edges', exact: true });

describe('the circuits view in a browser', () => {
  const open = stageForViews();
  const show = async (options = {}): Promise<Page> => {
    const page = await open('Circuits', { run: 'gpt2', height: 1100, ...options });
    await textIs(selected(page), /edges/);
    return page;
  };
  const extract = async (page: Page, edges: number, name?: string): Promise<void> => {
    const before = await rows(page).count();
    await edgesBox(page).fill(String(edges));
    if (name !== undefined) await page.getByRole('textbox', { name: 'Name' }).fill(name);
    await textIs(selected(page), expected({ by: 'top', edges }));
    await page.getByRole('button', { name: 'Extract', exact: true }).click();
    await eventually(async () => assert.equal(await rows(page).count(), before + 1));
  };

  it('offers to attribute the edges where there are none yet', async () => {
    const page = await open('Circuits', { run: 'ioi' });
    await textIs(page.locator('.circuits .paths-explained'), /Circuits are chosen among attributed edges, which this run does not have yet/);
    assert.equal(await page.getByRole('region', { name: 'Extract a circuit' }).isVisible(), false);
    await page.getByRole('radio', { name: 'All frozen' }).check();
    await page.getByRole('button', { name: 'Attribute edges' }).click();
    await textIs(selected(page), /edges/);
    assert.deepEqual((await requests(page, 'computePaths')).map(({ method }) => method), [{ layerNorm: 'all', integrated: { steps: 5, rule: 'left' } }]);
    assert.equal(await page.getByRole('region', { name: 'Extract a circuit' }).isVisible(), true);
  });

  it('says what a selection comes to while it is being chosen', async () => {
    const page = await show();
    await textIs(selected(page), expected({ by: 'top', edges: 40 }));
    await page.getByRole('checkbox', { name: 'Prune dangling edges' }).uncheck();
    await textIs(selected(page), expected({ by: 'top', edges: 40 }, false));
    await page.getByRole('checkbox', { name: 'Prune dangling edges' }).check();
    await page.getByRole('region', { name: 'Extract a circuit' }).getByRole('radio', { name: 'Greedy' }).check();
    await textIs(selected(page), expected({ by: 'greedy', edges: 40 }));
    const said = page.locator('.circuit-extract .number-said').first();
    for (const written of ['-3', '0', '2.5', '']) {
      await edgesBox(page).fill(written);
      await edgesBox(page).press('Tab');
      await textIs(said, `A whole number from 1 to ${TOTAL} is expected; 40 stays.`);
      assert.equal(await edgesBox(page).inputValue(), '40');
    }
    await edgesBox(page).fill('99999');
    await edgesBox(page).press('Tab');
    await textIs(said, `99999 asked for: there are no more than ${TOTAL}.`);
    assert.equal(await edgesBox(page).inputValue(), String(TOTAL));
    await page.getByRole('radio', { name: '%', exact: true }).check();
    await page.getByRole('spinbutton', { name: 'Percent of all edges' }).fill('0.2');
    await textIs(selected(page), expected({ by: 'greedy', edges: Math.floor(TOTAL * 0.002) }));
    await page.getByRole('spinbutton', { name: 'Percent of all edges' }).fill('0.001');
    await textIs(selected(page), '0.001 % of 32,491 edges is no whole edge: from 0.01 % on there is one.');
    assert.equal(await page.getByRole('button', { name: 'Extract', exact: true }).getAttribute('disabled'), '');
    await page.getByRole('radio', { name: 'Threshold' }).check();
    await page.getByRole('spinbutton', { name: '|score| of at least (normalised)' }).fill('0.05');
    await textIs(selected(page), expected({ by: 'threshold', threshold: 0.05 }));
    await page.getByRole('spinbutton', { name: '|score| of at least (normalised)' }).fill('7');
    await textIs(selected(page), 'No edge is that strong: lower the threshold.');
  });

  it('extracts a circuit, keeps it, selects it and says how faithful it is', async () => {
    const page = await show();
    await extract(page, 60, 'my circuit');
    const [request] = await requests(page, 'extractCircuit');
    assert.deepEqual(request, { runId: run.manifest.id, options: { pair: 'all', unit: 'normalised' }, selection: { by: 'top', edges: 60 }, prune: true, ablation: 'corrupted', name: 'my circuit' });
    await textIs(live(page), /^Kept circuit my circuit: \d+ edges, faithfulness 0\.\d{3} \(corrupted\)$/);
    await textIs(details(page).getByRole('heading', { level: 2 }), 'my circuit');
    await textIs(details(page).locator('.faithfulness').first(), /^With every other edge corrupted, the circuit keeps \d+(\.\d)? % of what the whole model adds: logit difference .* \(raw logits, mean of 8 pairs\)\.$/);
    assert.equal(await page.getByRole('textbox', { name: 'Name' }).inputValue(), '', 'the next one gets a name of its own');
  });

  it('stops an extraction, and says what failed where it was asked for', async () => {
    const page = await show();
    const section = page.getByRole('region', { name: 'Extract a circuit' });
    await page.evaluate(() => window.fakeHost.allow(1));
    await page.getByRole('button', { name: 'Extract', exact: true }).click();
    await textIs(section.locator('.work'), /^Extracting top 40.*1 circuit run · Running circuits · 33 %/);
    await section.getByRole('button', { name: 'Cancel' }).click();
    await textIs(live(page), 'Stopped: Extracting top 40');
    assert.equal(await rows(page).count(), 0);
    await page.evaluate(() => window.fakeHost.allow(Infinity));
    await page.evaluate(() => (window.fakeHost.failing.extractCircuit = 'The model is gone.'));
    await page.getByRole('button', { name: 'Extract', exact: true }).click();
    await textIs(section.locator('.failure'), 'Extracting top 40: The model is gone.');
    await page.evaluate(() => (window.fakeHost.failing.selectCircuit = 'The run file is gone.'));
    await edgesBox(page).fill('41');
    await textIs(selected(page), /^The run file is gone\. Try again$/);
    await page.evaluate(() => (window.fakeHost.failing.selectCircuit = undefined));
    await selected(page).getByRole('button', { name: 'Try again' }).click();
    await textIs(selected(page), expected({ by: 'top', edges: 41 }));
  });

  it('offers only ablations that the run can have', async () => {
    const page = await open('Circuits', { run: 'single' });
    const ablation = (name: string): Locator => page.getByRole('radio', { name, exact: true });
    await eventually(async () => assert.deepEqual([await ablation('Corrupted').isEnabled(), await ablation('Zero').isEnabled(), await ablation('Mean').isEnabled(), await ablation('Resample').isEnabled()], [true, true, false, false]));
    await textIs(page.locator('#ablation-resample'), /^Not with this run: There is only one prompt of 14 tokens/);
    await ablation('Zero').check();
    await page.getByRole('button', { name: 'Extract', exact: true }).click();
    await eventually(async () => assert.equal((await requests(page, 'extractCircuit'))[0]?.ablation, 'zero'));
    const stability = page.getByRole('button', { name: 'Stability' });
    assert.deepEqual([await stability.getAttribute('disabled'), await stability.getAttribute('title')], ['', 'With one pair there is nothing to draw anew.']);
  });

  it('says how stable a selection is, thresholds in raw units', async () => {
    const page = await show();
    await page.getByRole('button', { name: 'Stability' }).click();
    await textIs(page.locator('.circuit-stability'), /share 71 % of their edges .*\(5–95 %: 58 % to 83 %; Jaccard\)\. Of 8 pairs alone that says little\./);
    await edgesBox(page).fill('41');
    await textIs(page.locator('.circuit-stability'), '');
    await page.getByRole('radio', { name: 'Threshold' }).check();
    await page.getByRole('spinbutton', { name: /at least/ }).fill('0.05');
    await page.getByRole('button', { name: 'Stability' }).click();
    await textIs(page.locator('.circuit-stability'), /share 71 %/);
    const asked = (await requests(page, 'circuitStability')).map(({ selection }) => selection as { threshold?: number });
    const whole = run.manifest.pairs.reduce((sum, { metric }) => sum + metric.clean - metric.corrupted!, 0) / run.manifest.pairs.length;
    assert.ok(Math.abs(asked[1]!.threshold! - 0.05 * whole) < 1e-9);
    await page.getByLabel('Pairs').selectOption('1');
    await eventually(async () => assert.match((await page.getByRole('button', { name: 'Stability' }).getAttribute('title'))!, /mean of all pairs/));
    assert.match((await page.locator('.circuit-extract > .caption').textContent())!, /by the scores of “Mary gives the bag”.*run on all pairs/);
  });

  it('lists kept circuits: sorted by every column, one tab stop, copied', async () => {
    const page = await show();
    for (const edges of [60, 900, 300]) await extract(page, edges);
    const names = async (): Promise<string[]> => rows(page).locator('th').allTextContents();
    assert.deepEqual(await names(), ['top 60', 'top 900', 'top 300'], 'as they were kept');
    const table = page.getByRole('region', { name: 'Kept circuits' });
    await table.getByRole('button', { name: 'Edges' }).click();
    assert.deepEqual(await names(), ['top 900', 'top 300', 'top 60']);
    await table.getByRole('button', { name: 'Faithfulness' }).click();
    assert.deepEqual(await names(), ['top 900', 'top 300', 'top 60']);
    await table.getByRole('button', { name: 'Faithfulness' }).click();
    assert.deepEqual(await names(), ['top 60', 'top 300', 'top 900']);
    const stops = rows(page).locator('[tabindex="0"]');
    assert.equal(await stops.count(), 1);
    await stops.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await textIs(live(page), /^Selected circuit top 900: /);
    await textIs(details(page).getByRole('heading', { level: 2 }), 'top 900');
    await table.getByRole('button', { name: 'Copy table' }).click();
    await eventually(async () => assert.match(String((await requests(page, 'copy'))[0]!.text), /^circuit\tedges\tnodes\tfaithfulness\tablation.*\ntop 60\t/));
  });

  it('asks what each edge is worth, and refines', async () => {
    const page = await show();
    await extract(page, 60);
    await details(page).getByRole('button', { name: 'Minimality' }).click();
    const losses = details(page).locator('.circuit-losses tbody tr');
    await eventually(async () => assert.ok((await losses.count()) > 10));
    await textIs(losses.first(), /^(L\d+H\d+|Input|MLP \d+)/);
    await textIs(details(page).locator('.circuit-losses .caption'), /faithfulness falls without one edge \(corrupted; logit difference, mean of 8 pairs\)/);
    const values = async (): Promise<number[]> => losses.evaluateAll((lines) => lines.map((line) => Number(line.lastElementChild!.textContent!.replace('−', '-'))));
    const falling = await values();
    assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
    await details(page).getByRole('button', { name: 'Loss' }).click();
    await eventually(async () => assert.deepEqual(await values(), [...falling].sort((a, b) => a - b)));
    await page.getByRole('spinbutton', { name: 'Threshold (raw logits)' }).fill('0.3');
    await details(page).getByRole('button', { name: 'Refine' }).click();
    await textIs(details(page).getByRole('heading', { level: 2 }), 'top 60, refined');
    assert.deepEqual((await requests(page, 'refineCircuit'))[0], { runId: run.manifest.id, circuit: 0, threshold: 0.3, name: 'top 60, refined' });
    assert.equal(await details(page).locator('.circuit-losses tbody tr').count(), 0, 'of the new circuit nothing is known yet');
  });

  it('compares two circuits, removes one after asking, and keeps the other in sight', async () => {
    const page = await show();
    for (const edges of [30, 60, 90]) await extract(page, edges);
    await details(page).getByLabel('Overlap with').selectOption({ label: 'top 60' });
    await textIs(details(page).locator('.overlap-words'), /^[\d,]+ edges in both of \d+ in either: Jaccard 0\.\d{3}\.$/);
    assert.deepEqual((await requests(page, 'circuitOverlap'))[0]!.circuits, [2, 1]);
    await rows(page).filter({ hasText: 'top 30' }).getByRole('button').click();
    await details(page).getByRole('button', { name: 'Remove…' }).click();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Keep', 'nothing is lost by pressing Enter once more');
    await page.keyboard.press('Escape');
    assert.equal(await details(page).locator('.circuit-removing').count(), 0);
    await details(page).getByRole('button', { name: 'Remove…' }).click();
    await details(page).getByRole('button', { name: 'Remove', exact: true }).click();
    await textIs(live(page), 'Removed top 30');
    assert.deepEqual(await rows(page).locator('th').allTextContents(), ['top 60', 'top 90']);
    assert.deepEqual((await requests(page, 'removeCircuit')).map(({ circuit }) => circuit), [0]);
    assert.equal(await details(page).isVisible(), false);
    await rows(page).filter({ hasText: 'top 90' }).getByRole('button').click();
    await textIs(details(page).locator('.overlap-words'), /Jaccard/);
    assert.deepEqual((await requests(page, 'circuitOverlap')).map(({ circuits }) => circuits), [[2, 1], [0, 1]], 'what was known is not asked for again');
  });

  it('exports in four formats and imports, saying what was refused', async () => {
    const page = await show();
    await extract(page, 60);
    for (const format of ['dot', 'mermaid', 'csv', 'mib']) {
      await details(page).getByLabel('Export as').selectOption(format);
      await details(page).getByRole('button', { name: 'Export…' }).click();
    }
    await eventually(async () => assert.deepEqual((await requests(page, 'exportGraph')).map(({ format, circuit }) => [format, circuit]), [['dot', 0], ['mermaid', 0], ['csv', 0], ['mib', 0]]));
    await page.evaluate(() => (window.fakeHost.failing.exportGraph = 'The disk is full.'));
    await details(page).getByRole('button', { name: 'Export…' }).click();
    await textIs(details(page).locator('.failure'), 'Not exported: The disk is full.');
    await page.getByRole('radio', { name: 'Mean', exact: true }).check();
    await page.getByRole('button', { name: 'Import…' }).click();
    await textIs(details(page).getByRole('heading', { level: 2 }), 'imported');
    assert.equal((await requests(page, 'importCircuit'))[0]!.ablation, 'mean');
    await textIs(details(page).locator('.faithfulness').first(), /^With every other edge at its mean/);
    await page.evaluate(() => (window.fakeHost.failing.importCircuit = 'graph.json is of another model: 5 layers.'));
    await page.getByRole('button', { name: 'Import…' }).click();
    await textIs(page.getByRole('region', { name: 'Kept circuits' }).locator('.failure'), 'Importing a circuit: graph.json is of another model: 5 layers.');
  });

  it('shows a circuit in the graph, and the way out of it', async () => {
    const page = await show();
    await extract(page, 60);
    const edges = Number(await rows(page).first().locator('td').first().textContent());
    await details(page).getByRole('button', { name: 'Show in the graph' }).click();
    await eventually(async () => assert.equal(await page.locator('.edge-canvas').first().getAttribute('data-edges'), String(edges)));
    assert.equal((await requests(page, 'graph')).at(-1)!.circuit, 0);
    await textIs(page.locator('.shown-circuit'), 'Only the circuit “top 60”');
    await textIs(page.locator('.crumbs'), 'Whole circuit');
    await page.getByRole('radio', { name: 'Heatmap' }).check();
    await textIs(page.locator('.matrix-form > .caption:visible'), 'Hatched: no such edge is drawn; only edges of the circuit “top 60” are, those that reach the threshold. Headings sort.');
    await page.getByRole('radio', { name: 'Graph', exact: true }).check();
    await page.getByRole('button', { name: 'All edges' }).click();
    await eventually(async () => assert.equal((await requests(page, 'graph')).at(-1)!.circuit, undefined));
    await page.getByRole('tab', { name: 'Circuits' }).click();
    await details(page).getByRole('button', { name: 'Show in the graph' }).click();
    await textIs(page.locator('.shown-circuit'), 'Only the circuit “top 60”');
  });

  it('comes back after a reload with what was chosen', async () => {
    const page = await show();
    await page.getByRole('radio', { name: 'Mean', exact: true }).check();
    await page.getByRole('region', { name: 'Extract a circuit' }).getByRole('radio', { name: 'Greedy' }).check();
    await edgesBox(page).fill('77');
    await page.getByRole('spinbutton', { name: 'Random circuits per budget' }).fill('5');
    await eventually(async () => assert.match(JSON.stringify(await page.evaluate(() => window.fakeHost.state())), /"edges":77.*"random":5/));
    await page.reload();
    await textIs(selected(page), expected({ by: 'greedy', edges: 77 }));
    assert.equal(await page.getByRole('radio', { name: 'Mean', exact: true }).isChecked(), true);
    assert.equal(await page.getByRole('spinbutton', { name: 'Random circuits per budget' }).inputValue(), '5');
  });
});
