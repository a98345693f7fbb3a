import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CircuitJson } from '../../src/cli/circuitJson';
import type { EdgeJson, PathsJson } from '../../src/cli/pathsJson';
import { circuitByCli, pathsByCli } from './cli';
import { assertShown } from './expectations';
import { readNumber } from './panelPage';
import { CircuitsPage, PathsPage, type ShownEdge } from './pathsPage';
import { SAMPLE } from './samples';
import { Workbench, type Theme } from './workbench';

/** Of another model: GPT-2 small's size. */
const FOREIGN = JSON.stringify({ cfg: { n_layers: 12, n_heads: 12, parallel_attn_mlp: false, d_model: 768 }, nodes: { input: { in_graph: true } }, edges: { 'input->logits': { score: 1, in_graph: true } } });
const THEMES: readonly { theme: Theme; name: string; bodyClass: string }[] = [
  { theme: 'Default Light Modern', name: 'light', bodyClass: 'vscode-light' },
  { theme: 'Default High Contrast', name: 'high-contrast', bodyClass: 'vscode-high-contrast' },
  { theme: 'Default Dark Modern', name: 'dark', bodyClass: 'vscode-dark' },
];
const NOTE = 'L3H0 reads what the first layer writes.';
const RANDOM = 3;

/** From the whole graph to a circuit one can trust: edges attributed, filtered, checked; circuits extracted, questioned, exchanged. */
describe('paths and circuits in the workbench', () => {
  let workbench: Workbench;
  let paths: PathsPage;
  let circuits: CircuitsPage;
  /** By the command line: every edge that is not 0; the ten strongest, patched; the strongest between heads, by position; a circuit of 5 %. */
  let all: EdgeJson[];
  let strongest: EdgeJson[];
  let single: PathsJson;
  let found: CircuitJson;
  /** The strongest between heads; its receiver is looked at. */
  let between: EdgeJson;
  let exported: string;

  const shownEdges = async (expected: readonly EdgeJson[], table?: Parameters<PathsPage['edges']>[0]): Promise<ShownEdge[]> => {
    await workbench.settles(async () => (await paths.edges(table)).map(({ edge }) => edge), expected.map(({ edge }) => edge));
    const shown = await paths.edges(table);
    for (const [row, { edge, score }] of expected.entries()) assertShown(shown[row]!.score, score, edge);
    return shown;
  };
  const edgesInto = (node: string, port: string): EdgeJson[] => all.filter((edge) => edge.to === node && edge.port === port);

  before(async () => {
    workbench = await Workbench.open({ 'ioi.prompts.json': await readFile(SAMPLE, 'utf8'), 'of-gpt2.json': FOREIGN });
    await workbench.page.setViewportSize({ width: 1640, height: 1120 });
    await workbench.explorerMenu('ioi.prompts.json', 'Rerun attribution');
    const file = path.join(workbench.folder, 'ioi.prompts.json');
    const eap = ['--method', 'eap'];
    all = (await pathsByCli(file, ...eap, '--top', '100000')).edges;
    strongest = (await pathsByCli(file, ...eap, '--exact', 'direct', '--top', '10')).edges;
    between = strongest.find(({ from, to }) => from.startsWith('a') && to.startsWith('a'))!;
    single = await pathsByCli(file, ...eap, '--edge', between.edge, '--by-position');
    found = await circuitByCli(file, ...eap, '--percent', '5', '--minimality', '--curve', '--random', String(RANDOM));
    await workbench.panel.waitForRun('ioi.prompts.json');
    paths = new PathsPage(workbench.panel.frame);
    circuits = new CircuitsPage(workbench.panel.frame);
  });
  after(() => workbench.close());

  it('attributes the edges and draws the strongest, with the numbers of the command line', async () => {
    await workbench.panel.view('Paths');
    await paths.frame.locator('.paths-explained').waitFor();
    await workbench.screenshot('paths-without-edges');
    await paths.frame.getByRole('radio', { name: 'EAP', exact: true }).check({ force: true });
    await paths.frame.getByRole('button', { name: 'Attribute edges' }).click();
    await paths.graph.waitFor();
    await workbench.settles(() => paths.count.innerText(), '40 of 761 edges');
    await workbench.settles(() => paths.drawn(), 40);
    await shownEdges(all.slice(0, 40));
    await workbench.screenshot('paths');
  });

  it('follows the threshold and the number of edges', async () => {
    const before = await paths.picture();
    await paths.top.fill('12');
    await workbench.settles(() => paths.count.innerText(), '12 of 761 edges');
    await workbench.settles(() => paths.drawn(), 12);
    await shownEdges(all.slice(0, 12));
    assert.notEqual(await paths.picture(), before, 'the drawing is the same');
    const { x, y, width, height } = (await paths.threshold.boundingBox())!;
    await workbench.page.mouse.move(x + width * 0.75, y + height / 2);
    await workbench.page.mouse.down();
    for (const share of [0.7, 0.65, 0.6]) await workbench.page.mouse.move(x + width * share, y + height / 2);
    await workbench.page.mouse.up();
    await workbench.settles(async () => (await paths.drawn()) > 12, true);
    await workbench.settled(() => paths.count.innerText());
    const drawn = await paths.drawn();
    assert.equal(await paths.count.innerText(), `${drawn} of 761 edges`);
    assert.equal(await paths.top.inputValue(), String(drawn), 'the number does not follow the threshold');
    const threshold = readNumber((await paths.frame.locator('.threshold-value').innerText()).replace('≥', ''));
    const atLeast = (bound: number): number => all.filter(({ score }) => Math.abs(score) >= bound).length;
    assert.ok(atLeast(threshold * 1.006) <= drawn && drawn <= atLeast(threshold * 0.994), `${drawn} edges are drawn from ${threshold} on, by the command line ${atLeast(threshold)}`);
    await workbench.screenshot('paths-threshold');
    await paths.top.fill('40');
    await workbench.settles(() => paths.drawn(), 40);
  });

  it('shows what reaches a head and where its output goes', async () => {
    const head = between.to;
    await paths.node(head).click();
    for (const port of ['q', 'k', 'v']) {
      // Of all its inputs and outputs the 40 strongest are shown.
      const expected = all.filter(({ from, to }) => from === head || to === head).slice(0, 40).filter((edge) => edge.to === head && edge.port === port);
      await shownEdges(expected, paths.nodeTable(`Inputs to ${port}`));
      assert.match(await paths.nodeTable(`Inputs to ${port}`).locator('.node-table-title .caption').innerText(), new RegExp(`^${expected.length || 'none'} of \\d+ edges? drawn$`));
    }
    assert.ok(edgesInto(head, between.port!).length > 0);
    await shownEdges(all.filter(({ from, to }) => from === head || to === head).slice(0, 40).filter(({ from }) => from === head), paths.nodeTable('Outputs'));
    await workbench.screenshot('paths-focus');
  });

  it('shows an edge by position and patches it exactly, as the command line does', async () => {
    await paths.row(between.edge).getByRole('button').click();
    const bars = paths.details.locator('.position-strip li .hidden');
    const [{ values }] = single.positions as [NonNullable<PathsJson['positions']>[0]];
    await workbench.settles(() => bars.count(), values.length);
    for (const [position, text] of (await bars.allTextContents()).entries()) assertShown(readNumber(text), values[position]!, `position ${position}`);
    await paths.details.getByRole('button', { name: 'Verify' }).click();
    const exact = paths.details.locator('.card-exact strong');
    await exact.waitFor();
    assertShown(readNumber(await exact.innerText()), between.exact!, between.edge);
    await workbench.screenshot('paths-edge');
  });

  it('keeps a name, a pin and notes', async () => {
    const name = paths.notes.getByRole('combobox', { name: /^Name of/ });
    await name.fill('name mover');
    await name.press('Tab');
    await paths.notes.getByRole('button', { name: /^Pin/ }).click();
    await paths.notes.getByRole('textbox', { name: 'Notes, kept with the run' }).fill(NOTE);
    await workbench.settles(() => paths.node(between.to).locator('.given-name').allTextContents(), ['name mover']);
    await workbench.settles(() => paths.notes.locator('.groups strong').allTextContents(), ['name mover', 'Pinned']);
    await workbench.screenshot('paths-notes');
  });

  it('patches the strongest edges of the whole graph exactly, as the command line does', async () => {
    await paths.frame.getByRole('navigation', { name: 'Focus' }).getByRole('button', { name: 'Whole graph' }).click();
    await workbench.settles(() => paths.drawn(), 40);
    await paths.frame.getByRole('button', { name: 'Verify top' }).click();
    await workbench.settles(async () => (await paths.edges()).slice(0, 10).filter(({ exact }) => exact !== undefined).length, 10);
    const shown = await paths.edges();
    for (const [row, { edge, exact }] of strongest.entries()) {
      assert.equal(shown[row]!.edge, edge);
      assertShown(shown[row]!.exact!, exact!, edge);
    }
    await workbench.screenshot('paths-verified');
  });

  it('shows the strongest paths between two nodes, and the edges between heads as a heatmap', async () => {
    const panel = paths.frame.getByRole('region', { name: 'Strongest paths' });
    await panel.getByRole('button', { name: 'Find paths' }).click();
    await workbench.settles(() => panel.locator('.path-list li').count(), 5);
    assert.match(await panel.locator('.path-list li').first().innerText(), /^Input → .*Logits/);
    await panel.locator('.path-list button').first().click();
    await workbench.screenshot('paths-strongest');
    await panel.getByRole('button', { name: 'Whole graph' }).click();
    await paths.frame.getByRole('radio', { name: 'Heatmap' }).check({ force: true });
    await paths.graph.waitFor({ state: 'hidden' });
    await workbench.screenshot('paths-heatmap');
    await paths.frame.getByRole('radio', { name: 'Graph', exact: true }).check({ force: true });
    await paths.graph.waitFor();
  });

  it('extracts a circuit of 5 % of the edges, as faithful as the command line says', async () => {
    await workbench.panel.view('Circuits');
    await circuits.extraction.getByRole('radio', { name: '%', exact: true }).check({ force: true });
    await circuits.extraction.getByRole('spinbutton', { name: 'Percent of all edges' }).fill('5');
    const [circuit] = found.circuits as [CircuitJson['circuits'][0]];
    await workbench.settles(async () => (await circuits.extraction.locator('.selected-circuit').innerText()).startsWith(`${circuit.edges.length} of 761 edges`), true);
    await workbench.screenshot('circuits-none');
    await circuits.button('Extract').click();
    await workbench.settles(() => circuits.names(), ['top 38']);
    assertKept(await circuits.kept(), found);
    await circuits.details.waitFor();
    await workbench.screenshot('circuits-extracted');
  });

  it('measures the curve over budgets beside random circuits, as the command line does', async () => {
    await circuits.curve.getByRole('spinbutton', { name: 'Random circuits per budget' }).fill(String(RANDOM));
    await circuits.button('Measure the curve').click();
    const { points, cpr, cmd } = found.curve!;
    await workbench.settles(() => circuits.curve.locator('.curve-point').count(), points.length);
    for (const part of ['.curve-path', '.random-mean', '.random-band']) assert.equal(await circuits.curve.locator(part).count(), 1, part);
    const rows = await circuits.curve.locator('.curve-table tbody tr').evaluateAll((shown) => shown.map((row) => [...row.children].map((cell) => cell.textContent)));
    assert.equal(rows.length, points.length);
    for (const [place, [, edges, faithfulness, mean]] of rows.entries()) {
      const point = points[place]!;
      assert.equal(Number(edges), point.edges);
      assertCoefficient(faithfulness!, point.faithfulness!);
      assertCoefficient(mean!, point.random!.mean);
    }
    for (const [place, figure] of (await circuits.curve.locator('.curve-figures dd').allTextContents()).entries()) assertCoefficient(figure, [cpr, cmd][place]!);
    await circuits.curve.scrollIntoViewIfNeeded();
    await workbench.screenshot('circuits-curve');
  });

  it('says what each edge of the circuit is good for, as the command line does', async () => {
    await circuits.details.getByRole('button', { name: 'Minimality' }).click();
    const rows = circuits.details.locator('.circuit-losses tbody tr');
    const losses = new Map(found.minimality!.map(({ edge, loss }) => [edge, loss!]));
    await workbench.settles(() => rows.count(), losses.size);
    const shown = await rows.evaluateAll((lines) => lines.map((line): [string, string] => [line.dataset['name']!, line.lastElementChild!.textContent]));
    for (const [edge, loss] of shown) assertShown(readNumber(loss), losses.get(edge)!, edge);
    await workbench.screenshot('circuits-minimality');
  });

  it('exports the circuit as EAP-IG and MIB write it', async () => {
    await circuits.details.getByRole('combobox', { name: 'Export as' }).selectOption({ label: 'EAP-IG / MIB (JSON)' });
    await circuits.details.getByRole('button', { name: 'Export…' }).click();
    exported = await workbench.save('.json');
    const graph = JSON.parse(await readFile(exported, 'utf8')) as { cfg: object; edges: Record<string, { score: number; in_graph: boolean }> };
    const { layers, heads, dModel } = found.model;
    assert.deepEqual(graph.cfg, { n_layers: layers, n_heads: heads, parallel_attn_mlp: false, d_model: dModel });
    assert.equal(Object.keys(graph.edges).length, found.total);
    assert.deepEqual(edgesOf(graph), found.circuits[0]!.edges.map(({ edge }) => edge).sort());
  });

  it('removes the circuit, and imports it with the same edges and faithfulness', async () => {
    const [[, ...before]] = (await circuits.kept()) as [string[]];
    await circuits.details.getByRole('button', { name: 'Remove…' }).click();
    await circuits.button('Remove').click();
    await workbench.settles(() => circuits.names(), []);
    await circuits.button('Import…').click();
    await workbench.chooseFile(path.basename(exported));
    await workbench.settles(() => circuits.names(), [path.basename(exported, '.json')]);
    const [[, ...after]] = (await circuits.kept()) as [string[]];
    assert.deepEqual(after, before);
    await workbench.screenshot('circuits-imported');
    await circuits.details.getByRole('button', { name: 'Export…' }).click();
    const again = await workbench.save('.json');
    assert.deepEqual(edgesOf(JSON.parse(await readFile(again, 'utf8'))), found.circuits[0]!.edges.map(({ edge }) => edge).sort());
  });

  it('refuses the graph of another model, and says why', async () => {
    await circuits.button('Import…').click();
    await workbench.chooseFile('of-gpt2.json');
    await circuits.failure.waitFor();
    assert.match(await circuits.failure.innerText(), /another model, with 12 layers, 12 heads and d_model 768; this experiment’s model has 5 layers, 4 heads and d_model 128/);
    assert.equal((await circuits.kept()).length, 1);
    await workbench.screenshot('circuits-refused');
  });

  it('has its state, names, notes and circuits once more after a reload', async () => {
    const kept = await circuits.kept();
    await workbench.reload();
    await circuits.details.waitFor();
    await workbench.settles(() => circuits.kept(), kept);
    await workbench.panel.view('Paths');
    await workbench.settles(() => paths.drawn(), 40);
    assert.equal(await paths.top.inputValue(), '40');
    assert.deepEqual(await paths.node(between.to).locator('.given-name').allTextContents(), ['name mover']);
    assert.equal(await paths.node(between.to).locator('.pin-mark').count(), 1);
    assert.equal(await paths.notes.getByRole('textbox', { name: 'Notes, kept with the run' }).inputValue(), NOTE);
    assert.equal((await paths.edges()).filter(({ exact }) => exact !== undefined).length, 10);
  });

  it('attributes edges, extracts, exports and imports from the palette', async () => {
    await workbench.command('Circuit Explorer: Attribute edges...');
    await workbench.quickPickTitle('Attribute edges: how?').waitFor();
    await workbench.screenshot('palette-attribute-edges');
    await workbench.quickPickRow('EAP-IG').click();
    await workbench.settles(() => paths.frame.locator('.method-line .caption').innerText(), 'EAP-IG (5 steps, left), LayerNorm in full');
    await workbench.command('Circuit Explorer: Extract circuit...');
    await workbench.answer('Extract circuit: of how many of the strongest edges?', '20');
    await workbench.quickPickRow('Corrupted').click();
    await workbench.panel.view('Circuits');
    await workbench.settles(async () => (await circuits.names()).at(-1), 'top 20');
    await workbench.command('Circuit Explorer: Export graph...');
    await workbench.quickPickTitle('Export graph: what of it?').waitFor();
    await workbench.quickPickRow('top 20').click();
    await workbench.quickPickTitle('Export graph: in which format?').waitFor();
    await workbench.quickPickRow('Mermaid').click();
    assert.match(await readFile(await workbench.save('.mmd'), 'utf8'), /flowchart|graph /);
    await workbench.command('Circuit Explorer: Import circuit...');
    await workbench.quickPickRow('Corrupted').click();
    await workbench.chooseFile(path.basename(exported));
    const imported = path.basename(exported, '.json');
    await workbench.settles(() => circuits.names(), [imported, 'top 20', `${imported} (2)`]);
    await workbench.screenshot('circuits-three');
  });

  for (const { theme, name, bodyClass } of THEMES) {
    it(`can be read in the theme ${theme}`, async () => {
      await workbench.settings({ 'workbench.colorTheme': theme });
      const { frame } = workbench.panel;
      await frame.locator(`body.${bodyClass}`).waitFor();
      await workbench.panel.view('Circuits');
      await circuits.extraction.waitFor();
      await workbench.screenshot(`circuits-${name}`);
      await workbench.panel.view('Paths');
      await workbench.settles(() => paths.drawn(), 40);
      await workbench.screenshot(`paths-${name}`);
    });
  }
});

/** Three decimals are shown; a circuit's own metric may round apart on more threads and fewer. */
function assertCoefficient(text: string, expected: number): void {
  const shown = readNumber(text);
  assert.ok(Math.abs(shown - expected) <= 0.00051, `${shown} on the screen, ${expected} from the command line`);
}

/** The one kept circuit is the command line's. */
function assertKept([kept]: string[][], { circuits: [circuit], measured: [measured] }: CircuitJson): void {
  const [, edges, nodes, faithfulness, knockedOut] = kept!;
  assert.deepEqual([Number(edges), Number(nodes)], [circuit!.edges.length, circuit!.nodes.length]);
  assertCoefficient(faithfulness!.split(' ')[0]!, measured!.faithfulness!);
  assertCoefficient(knockedOut!, measured!.knockedOut!);
}

function edgesOf({ edges }: { edges: Record<string, { in_graph: boolean }> }): string[] {
  return Object.keys(edges).filter((edge) => edges[edge]!.in_graph).sort();
}
