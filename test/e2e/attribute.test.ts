import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expectedByCli } from './cli';
import { assertMapEquals, assertMatches } from './expectations';
import { JOHN, MARY, PARK, promptFile, SAMPLE, SHOPS } from './samples';
import { Workbench } from './workbench';

describe('attributing prompts in the workbench', () => {
  let workbench: Workbench;
  const cli = (name: string, ...options: string[]): ReturnType<typeof expectedByCli> => expectedByCli(path.join(workbench.folder, name), ...options);

  before(async () => {
    workbench = await Workbench.open({
      'sample.prompts.json': await readFile(SAMPLE, 'utf8'),
      'two.prompts.json': promptFile(SHOPS, PARK),
      'other.prompts.json': promptFile(PARK),
      'with-answers.txt': `first line, not selected\n"${JOHN}" => " Mary",\n"${MARY}" => " John",\n`,
      'plain.txt': `${JOHN}  \n${MARY}\n`,
    });
  });
  after(() => workbench.close());

  it('the palette command attributes the pair under the cursor', async () => {
    await workbench.openFile('two.prompts.json');
    await workbench.goTo((await workbench.lineOf('two.prompts.json', '"park"')) + 1, 5);
    await workbench.command('Circuit Explorer: Attribute prompt pair');
    await workbench.panel.waitForRun('park');
    const expected = await cli('two.prompts.json', '--pair', 'park');
    assertMapEquals(await workbench.panel.values('heads'), expected.heads.allPositions, 'H');
    assertMapEquals(await workbench.panel.values('positions'), expected.positions[0]!.values, 'P');
    assert.equal(await workbench.panel.fact('Pairs').innerText(), '1');
    assert.equal(await workbench.tab('two.prompts.json').getAttribute('aria-selected'), 'true', 'the editor lost its place');
  });

  it('right-click on a prompt file reruns all its pairs', async () => {
    await workbench.explorerMenu('sample.prompts.json', 'Rerun attribution');
    await workbench.panel.waitForRun('sample.prompts.json');
    const expected = await cli('sample.prompts.json');
    assertMapEquals(await workbench.panel.values('heads'), expected.heads.allPositions, 'H');
    assert.deepEqual(
      (await workbench.panel.tableNames()).slice(0, expected.topHeads.length),
      expected.topHeads.map(({ layer, head }) => `L${layer}H${head}`),
    );
    await workbench.screenshot('attributed-dark');
  });

  it('hovering a head shows its value and rank, as the command line has them', async () => {
    const { topHeads } = await cli('sample.prompts.json');
    for (const [place, { layer, head, score }] of topHeads.slice(0, 3).entries()) {
      const shown = await workbench.panel.hover('heads', `L${layer}H${head}`);
      assertMatches(shown.value, score);
      assert.equal(shown.rank, String(place + 1));
      assert.ok(shown.behind.length > 0, 'no positions behind the head');
    }
  });

  it('hovering a position shows the top heads behind it, as the command line has them', async () => {
    const { heads, positions } = await cli('sample.prompts.json');
    const [{ values, length }] = positions as [(typeof positions)[0]];
    assert.equal(positions.length, 1, 'the pairs of the sample have one length');
    for (const [layer, ofHeads] of heads.lastPosition.entries()) {
      const shown = await workbench.panel.hover('positions', `L${layer}P${length - 1}`);
      if (layer === heads.lastPosition.length - 1) await workbench.screenshot('hover');
      assertMatches(shown.value, values[layer]![length - 1]!);
      const strongest = ofHeads.map((value, head) => ({ label: `L${layer}H${head}`, value })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
      assert.ok(shown.behind.length >= Math.min(4, strongest.length));
      for (const [place, { label, value }] of shown.behind.entries()) {
        assert.equal(label, strongest[place]!.label);
        assertMatches(value, strongest[place]!.value);
      }
    }
  });

  it('sorting changes the order', async () => {
    const { heads } = await cli('sample.prompts.json');
    const columns = heads.allPositions[0]!.map((_, head) => head);
    const { panel } = workbench;
    assert.deepEqual(await panel.order('heads', 'column'), columns.map((head) => `H${head}`));

    const strongest = (head: number): number => Math.max(...heads.allPositions.map((row) => Math.abs(row[head]!)));
    await panel.choose('heads', 'Order of heads', 'by strongest');
    await workbench.settles(() => panel.order('heads', 'column'), [...columns].sort((a, b) => strongest(b) - strongest(a)).map((head) => `H${head}`));

    const layers = heads.allPositions.map((_, layer) => layer);
    await panel.frame.locator('.map-section.heads .column-head', { hasText: 'H0' }).click();
    await workbench.settles(
      () => panel.order('heads', 'row'),
      [...layers].sort((a, b) => heads.allPositions[b]![0]! - heads.allPositions[a]![0]!).map((layer) => `L${layer}`),
    );
    await workbench.screenshot('sorted');
  });

  it('right-click on several prompt files reruns each', async () => {
    await workbench.selectFiles('other.prompts.json', 'two.prompts.json');
    await workbench.explorerMenu('two.prompts.json', 'Rerun attribution');
    await workbench.tab('Attribution: other.prompts.json').waitFor();
    await workbench.tab('Attribution: two.prompts.json').click();
    await workbench.panel.waitForRun('two.prompts.json');
    assert.equal(await workbench.panel.fact('Pairs').innerText(), '2');
    await workbench.tab('Attribution: other.prompts.json').click();
    await workbench.panel.waitForRun('other.prompts.json');
    assertMapEquals(await workbench.panel.values('heads'), (await cli('other.prompts.json')).heads.allPositions, 'H');
  });

  it('the palette command attributes two selected lines, with their answers', async () => {
    await workbench.openFile('with-answers.txt');
    await workbench.goTo(2, 1);
    for (const key of ['Shift+ArrowDown', 'Shift+End']) await workbench.page.keyboard.press(key);
    await workbench.command('Circuit Explorer: Attribute prompt pair');
    await workbench.tab('Attribution: selected prompts').waitFor();
    await workbench.panel.waitForRun('gave the bag to');
    // The same pair as "shops" of the prompt file.
    assertMapEquals(await workbench.panel.values('heads'), (await cli('two.prompts.json', '--pair', 'shops')).heads.allPositions, 'H');
  });

  it('asks for the answers of two plain lines from a list of what the model would say', async () => {
    await workbench.openFile('plain.txt');
    await workbench.page.keyboard.press('Control+A');
    await workbench.command('Circuit Explorer: Attribute prompt pair');
    await workbench.quickPickTitle('Correct answer').waitFor();
    await workbench.screenshot('answers');
    await workbench.quickPickRow('" Mary"').click();
    await workbench.quickPickTitle('Incorrect answer').waitFor();
    await workbench.quickPickRow('" John"').click();
    await workbench.panel.waitForRun('gave the bag to');
    assertMapEquals(await workbench.panel.values('heads'), (await cli('two.prompts.json', '--pair', 'shops')).heads.allPositions, 'H');
  });

  it('asks for two prompts when nothing is selected', async () => {
    await workbench.openFile('plain.txt');
    await workbench.goTo(1, 1);
    await workbench.command('Circuit Explorer: Attribute prompt pair');
    await workbench.answer('clean prompt', PARK.clean);
    await workbench.answer('corrupted prompt', PARK.corrupted);
    await workbench.quickPickTitle('Correct answer').waitFor();
    await workbench.quickPickRow('" Tom"').click();
    await workbench.quickPickTitle('Incorrect answer').waitFor();
    await workbench.quickPickRow('" James"').click();
    await workbench.panel.waitForRun('gave the ball to');
    assertMapEquals(await workbench.panel.values('heads'), (await cli('other.prompts.json')).heads.allPositions, 'H');
  });

  it('a CodeLens attributes its pair', async () => {
    await workbench.openFile('two.prompts.json');
    await workbench.page.locator('.codelens-decoration a', { hasText: 'Attribute pair' }).first().click();
    await workbench.tab('Attribution: two.prompts.json').waitFor();
    await workbench.panel.waitForRun('shops');
    await workbench.screenshot('codelens');
  });
});
