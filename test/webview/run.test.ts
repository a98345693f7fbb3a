import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { positionScores } from '../../src/shared/views';
import { axeFindsNothing, eventually, requests, textIs } from './openView';
import { screenshot } from './panelPage';
import { cell, live, withPanels } from './panelTests';
import { sampleRun } from './sampleRuns';

const selected = (page: Page): Promise<string | null> => page.locator('[role=tab][aria-selected=true]').textContent();

describe('the views of a run', () => {
  const open = withPanels();

  it('are tabs of one tab stop, chosen by pointer and by arrow keys', async () => {
    const page = await open({ run: 'ioi' });
    const tabs = page.getByRole('tab');
    assert.deepEqual(await tabs.allTextContents(), ['Heatmaps', 'Trust', 'Paths', 'Circuits', 'Attention', 'Logits', 'Neurons']);
    assert.equal(await selected(page), 'Heatmaps');
    await tabs.first().focus();
    await page.keyboard.press('ArrowRight');
    await eventually(async () => assert.equal(await selected(page), 'Trust'));
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Trust');
    assert.equal(await page.locator('[role=tab][tabindex="0"]').count(), 1);
    assert.equal(await page.getByRole('tabpanel').count(), 1, 'one view is in sight');
    assert.equal(await page.getByRole('tabpanel', { name: 'Trust' }).count(), 1);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await eventually(async () => assert.equal(await selected(page), 'Neurons'));
    await page.keyboard.press('Home');
    await eventually(async () => assert.equal(await selected(page), 'Heatmaps'));
  });

  it('come back after a reload, and a view keeps what it shows while another is in sight', async () => {
    const page = await open({ run: 'ioi' });
    await cell(page, 'L4H6').click();
    await page.getByRole('tab', { name: 'Trust' }).click();
    await eventually(async () => assert.equal((await page.evaluate(() => window.fakeHost.state()?.view as { view?: string })).view, 'trust'));
    await page.reload();
    await eventually(async () => assert.equal(await selected(page), 'Trust'));
    await page.getByRole('tab', { name: 'Heatmaps' }).click();
    await eventually(async () => assert.equal(await cell(page, 'L4H6').getAttribute('aria-selected'), 'true'));
    assert.ok((await page.evaluate(() => JSON.stringify(window.fakeHost.state()).length)) < 1500, 'no numbers in the state');
  });

  it('open the attention of the head that is selected in a heatmap', async () => {
    const page = await open({ run: 'ioi' });
    await cell(page, 'L3H2').click();
    await page.getByRole('tab', { name: 'Attention' }).click();
    await eventually(async () => assert.equal((await requests(page, 'attention'))[0]?.['layer'], 3));
    await textIs(page.getByRole('tabpanel', { name: 'Attention' }), /L3H2/);
  });
});

describe('a run’s facts', () => {
  const open = withPanels();

  it('name metric, direction, other side and variant', async () => {
    const page = await open({ run: 'ablated' });
    const facts = await page.locator('.fact-list').innerText();
    for (const text of ['noise, zero ablation', 'zeros patched into clean', 'log-probability', 'of the correct answer, at the last position', 'integrated gradients, 8 steps (midpoint) + AtP* QK fix', 'raw nats']) assert.ok(facts.includes(text), `${text} in ${facts}`);
    assert.ok(!facts.includes('corrupted'), facts);
    await textIs(page.locator('.map-section.heads > .caption').last(), /^noise \(zeros patched into clean\) · log-probability, normalised: share of the clean metric · integrated gradients, 8 steps \(midpoint\) · AtP\* QK fix · no BOS · mean of 8 pairs$/);
    assert.equal(await page.getByRole('radio', { name: 'Raw nats' }).count(), 1);
  });

  it('call the other pair of resampling by its name, and draw no corrupted prompt', async () => {
    const page = await open({ run: 'resampled' });
    await page.getByText(/^Prompts and their tokens/).click();
    assert.deepEqual(await page.locator('.pair').first().locator('tbody th').allTextContents(), ['clean']);
    await textIs(page.locator('.pair-line .caption').first(), /clean, .* other pair$/);
    await page.getByRole('tab', { name: 'Logits' }).click();
    await page.locator('.lens-line .mark').first().waitFor();
    await eventually(async () => assert.equal(await page.locator('.prediction-list h3').nth(1).textContent(), 'After the other pair’s prompt'));
    assert.ok(!/corrupted/i.test(await page.locator('.logits').innerText()));
  });

  it('say what to do where there are no estimates', async () => {
    const page = await open({ run: 'gradientless' });
    assert.match(await page.locator('.run > .note').innerText(), /^This run has no estimates, and so no maps: .*choose the direction denoise/);
    assert.deepEqual(await page.getByRole('tab').allTextContents(), ['Logits', 'Attention']);
    assert.deepEqual(await requests(page, 'map'), []);
    await page.getByRole('tab', { name: 'Attention' }).click();
    await page.locator('.matrix-canvas').first().waitFor();
  });

  it('let the unit be chosen only where it counts', async () => {
    const page = await open({ run: 'ioi' });
    const units = page.getByRole('group', { name: 'Unit' }).getByRole('radio');
    assert.deepEqual([await units.nth(0).isDisabled(), await units.nth(1).isDisabled()], [false, false]);
    await page.getByRole('tab', { name: 'Logits' }).click();
    await eventually(async () => assert.deepEqual([await units.nth(0).isDisabled(), await units.nth(1).isDisabled()], [true, true]));
    assert.match((await page.locator('.main-toolbar .segment').first().getAttribute('title'))!, /in logits/);
    for (const view of ['Trust', 'Attention']) {
      await page.getByRole('tab', { name: view }).click();
      await eventually(async () => assert.equal(await units.nth(0).isDisabled(), false));
    }
  });

  it('change by a form: metric with its caveat, direction, other side, variant', async () => {
    const page = await open({ run: 'ioi' });
    const change = page.getByRole('button', { name: 'Change…' });
    assert.equal(await change.getAttribute('aria-expanded'), 'false');
    await change.click();
    const form = page.getByRole('region', { name: 'Change the experiment and run again' });
    assert.deepEqual(await form.getByRole('checkbox', { checked: true }).count(), 0, 'nothing is on unless chosen');
    await form.getByLabel('Metric').selectOption({ label: 'negative KL to clean' });
    await textIs(form.locator('.caption').first(), /gradient at the clean run is exactly zero/);
    await form.getByLabel('Metric').selectOption({ label: 'probability' });
    await textIs(form.locator('.caption').first(), /Probabilities saturate/);
    await form.getByRole('checkbox', { name: 'AtP* QK fix' }).check();
    await form.getByRole('checkbox', { name: 'Integrated gradients' }).check();
    await form.getByRole('spinbutton', { name: 'Steps' }).fill('32');
    await form.getByRole('spinbutton', { name: 'Steps' }).press('Enter');
    await form.getByLabel('Rule of integrated gradients').selectOption('left');
    await screenshot(page, 'change');
    await form.getByLabel('Other side').selectOption('mean');
    await eventually(async () => assert.equal(await form.getByRole('radio', { name: 'denoise' }).isDisabled(), true));
    assert.equal(await form.getByRole('radio', { name: 'noise', exact: true }).isChecked(), true);
    await form.getByRole('button', { name: 'Run again' }).click();
    await eventually(async () =>
      assert.deepEqual(await requests(page, 'rerunWith'), [{ runId: '20261121T120000-ioi', change: { metric: 'prob', direction: 'noise', other: 'mean', variant: { qkFix: true, integrated: { steps: 32, rule: 'left' } } } }]),
    );
    await textIs(page.locator('.fact-list'), /probability.*mean ablation|mean ablation.*probability/s);
    await page.getByRole('button', { name: 'Change…' }).click();
    assert.equal(await page.getByRole('checkbox', { name: 'AtP* QK fix' }).isChecked(), true, 'the form starts from the run');
    await page.keyboard.press('Escape');
  });

  it('do not offer the mean or the next of one prompt, and say why', async () => {
    const page = await open({ run: 'single' });
    await page.locator('.map-section.heads .cell').first().click();
    await page.getByRole('button', { name: 'Change…' }).click();
    const how = page.locator('.interventions').getByLabel('What stands in');
    for (const list of [how, page.locator('.change').getByLabel('Other side')]) {
      assert.deepEqual(await list.locator('option:disabled').allTextContents(), ['mean ablation (no other prompt is as long: its mean is itself)', 'resample ablation (a prompt has no other that is as long)']);
    }
    assert.equal(await how.inputValue(), 'corrupted');
  });

  it('change by interventions in what is selected', async () => {
    const page = await open({ run: 'ioi' });
    await cell(page, 'L4H6').click();
    await page.getByRole('button', { name: 'Change…' }).click();
    const field = page.locator('.interventions');
    await textIs(field, /Selected: head 4.6 \(z\)/);
    const standIns = field.getByLabel('What stands in').locator('option');
    assert.deepEqual(await standIns.allTextContents(), ['the clean run’s activation', 'zero ablation', 'mean ablation', 'resample ablation']);
    await page.locator('.change').getByLabel('Other side').selectOption('mean');
    await eventually(async () => assert.equal(await standIns.count(), 3));
    await page.locator('.change').getByLabel('Other side').selectOption('corrupted');
    await page.locator('.change').getByRole('radio', { name: 'denoise' }).check();
    await field.getByRole('button', { name: 'Intervene' }).click();
    await textIs(field.locator('li'), 'head 4.6 (z) ← meansRemove');
    await cell(page, 'L3H2').click();
    await textIs(field, /Selected: head 3.2 \(z\)/);
    await field.getByLabel('What stands in').selectOption('zero');
    await field.getByRole('button', { name: 'Intervene' }).click();
    await field.getByRole('button', { name: 'Stop gradient' }).click();
    await field.getByRole('button', { name: 'Remove head 4.6 (z) ← means' }).click();
    await page.locator('.change').getByLabel('Metric').selectOption({ label: 'direct logit attribution of head 3.2' });
    await page.getByRole('button', { name: 'Run again' }).click();
    await eventually(async () =>
      assert.deepEqual((await requests(page, 'rerunWith'))[0]!['change'], {
        ...{ metric: { activation: 'directLogit', layer: 3, head: 2 }, direction: 'denoise', other: 'corrupted' },
        variant: { interventions: [{ unit: { site: 'z', layer: 3, head: 2 }, with: 'zero' }], stopGradient: [{ site: 'z', layer: 3, head: 2 }] },
      }),
    );
    await textIs(page.locator('.fact-list'), /gradient stopped at head 3\.2 \(z\) \+ intervention: head 3\.2 \(z\) ← zeros/);
  });

  it('say why the experiment could not be run again, and offer neurons', async () => {
    const page = await open({ run: 'ioi' });
    await page.evaluate(() => (window.fakeHost.failing = { rerunWith: 'The metric needs a correct and an incorrect answer.' }));
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('checkbox', { name: 'MLP neurons too' }).check();
    await page.getByRole('checkbox', { name: 'BOS prepended' }).check();
    await page.getByRole('button', { name: 'Run again' }).click();
    await textIs(page.locator('.change .failure'), 'The metric needs a correct and an incorrect answer.');
    const [asked] = await requests(page, 'rerunWith');
    const { sites, prependBos } = asked!['change'] as { sites: string[]; prependBos: boolean };
    assert.deepEqual([sites.at(-1), prependBos], ['mlp_post', true]);
    await page.locator('.change').getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await page.locator('.change').isVisible(), false);
  });

  it('have no violations that axe finds in the form, which fits beside an editor', async function () {
    const page = await open({ run: 'ioi', width: 400, theme: 'light' });
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('checkbox', { name: 'Integrated gradients' }).check();
    await axeFindsNothing(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
    await screenshot(page, 'change-narrow');
  });
});

describe('positions by their role', () => {
  const open = withPanels();
  const positions = (page: Page): Locator => page.locator('.map-section.positions');

  it('add up what each pair has at its own place', async () => {
    const page = await open({ run: 'ioi', height: 1300 });
    const { manifest, arrays } = sampleRun('ioi');
    await positions(page).getByRole('radio', { name: 'By role' }).check();
    await eventually(async () => assert.deepEqual(await page.locator('.map.tall .column-index').allTextContents(), ['S1', 'IO', 'S2', 'END']));
    // The pairs have S2 at the ninth or the tenth token, and END at the 13th or the 14th.
    const summed = (role: string, layer: number): number =>
      manifest.pairs.reduce((sum, pair, index) => {
        const group = manifest.groups.findIndex(({ pairs }) => pairs.includes(index));
        const map = positionScores(manifest, arrays, group, 'z', { pair: index, unit: 'normalised' })!;
        return sum + map.values[layer * map.columns + pair.positions![role]!]!;
      }, 0);
    for (const [role, layer] of [['S2', 2], ['END', 4], ['S1', 3]] as const) {
      assert.ok(Math.abs(Number(await cell(page, `L${layer}·${role}`).getAttribute('data-value')) - summed(role, layer)) < 1e-6, `${role} in layer ${layer}`);
    }
    assert.ok(Math.abs(summed('S2', 2)) > 0.1);
    await positions(page).getByRole('button', { name: 'More' }).click();
    assert.equal(await positions(page).getByRole('button', { name: 'Copy' }).isVisible(), true);
    assert.equal(await positions(page).getByRole('button', { name: 'Export' }).count(), 0, 'a file would be of another map');
    await cell(page, 'L2·S2').click();
    await textIs(page.locator('.details'), /^SelectionL2 · S2\+0\.\d+ normalised.*“ John”.*Shares of the pairs.* gives the /);
    await page.locator('.table-section').getByRole('radio', { name: 'Positions' }).check();
    await eventually(async () => assert.equal(await page.locator('.ranked tr.selected').getAttribute('data-name'), 'L2·S2'));
    assert.equal(await positions(page).locator('.verify').isVisible(), false);
    await positions(page).scrollIntoViewIfNeeded();
    await screenshot(page, 'roles');
    await page.getByLabel('Pairs').selectOption('7');
    const map = positionScores(manifest, arrays, 1, 'z', { pair: 7, unit: 'normalised', of: 'pair' })!;
    await eventually(async () => assert.equal(Number(await cell(page, 'L2·S2').getAttribute('data-value')), map.values[2 * map.columns + manifest.pairs[7]!.positions!['S2']!]));
    await positions(page).getByRole('radio', { name: 'Tokens' }).check();
    await eventually(async () => assert.equal(await page.locator('.map.tall .column-head').count(), 15));
  });

  it('are spoken of as the file names them, and come back after a reload', async () => {
    const page = await open({ run: 'ioi' });
    await positions(page).getByRole('radio', { name: 'By role' }).check();
    await cell(page, 'L2·S2').focus();
    await textIs(live(page), /^layer 2, S2, [+−]0\.\d+, rank \d+$/);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await textIs(live(page), /^S2 “John \| Mary …”, Enter sorts the layers by it$/);
    // State is saved a tenth of a second after its last change.
    await page.waitForTimeout(1000);
    await page.reload();
    await cell(page, 'L2·S2').waitFor();
  });

  it('are not offered where the file names none', async () => {
    const page = await open({ run: 'large' });
    assert.equal(await page.getByRole('radio', { name: 'By role' }).count(), 0);
  });
});
