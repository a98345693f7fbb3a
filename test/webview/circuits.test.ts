import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { edgeCount } from '../../src/shared/graph/nodes';
import { selectCircuit, type CircuitSelection } from '../../src/shared/graph/select';
import { maskSize, nodeCount } from '../../src/shared/graph/mask';
import { edgeScores } from '../../src/shared/graph/stored';
import type { ViewOptions } from '../../src/shared/views';
import { edgesText, selectedText } from '../../webview/circuits/words';
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
    await page.getByRole('radio', { name: 'EAP-IG', exact: true }).check();
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

  it('shows the curve', async () => {
    const page = await show();
    await extract(page, 60);
    await page.getByRole('button', { name: 'Measure the curve' }).click();
    await page.locator('.curve-point').first().waitFor();
    assert.equal(await page.locator('.curve-point').count(), 10);
    await page.screenshot({ path: 'out/screenshots/draft-circuits.png', fullPage: true });
    assert.equal(edgesText(1), '1 edge');
  });
});
