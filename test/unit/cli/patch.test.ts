import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PatchJson } from '../../../src/cli/patchJson';
import { readRunFile, writeRunFile } from '../../../src/runs/file';
import { packArrays } from '../../../src/shared/arrays';
import { agreementOf } from '../../../src/shared/agreement';
import { CircuitError } from '../../../src/shared/errors';
import { cellKey, exactOf, withExact } from '../../../src/shared/exact';
import type { MeasuredEffects, PatchCell } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import { headScores, positionScores } from '../../../src/shared/views';
import { exampleRun } from '../runs/exampleRun';
import { commandLine } from './commandLine';

/** Effects that tell cells apart and are no multiple of the estimates; NaN for pairs of other lengths. */
function effectsOf(run: Run, cells: readonly PatchCell[]): MeasuredEffects {
  const { pairs, groups } = run.manifest;
  const value = ({ layer = 0, head = 0, position = 0, source = 0, neuron = 0 }: PatchCell, pair: number): number =>
    Math.cos(1 + layer + 2 * head + 3 * (position === 'last' ? 7 : position) + 5 * source + 11 * neuron) + 0.1 * pair;
  const effects = Float32Array.from(cells.flatMap((cell) => pairs.map((_, pair) => (cell.group === undefined || groups[cell.group]!.pairs.includes(pair) ? value(cell, pair) : NaN))));
  return { cells: [...cells], effects };
}

describe('patch, the verb', () => {
  const cli = commandLine();
  let patched: PatchCell[];
  beforeEach(() => {
    patched = [];
    cli.work = {
      patch: async ({ run, cells }) => {
        const known = new Set(exactOf(run).cells.map(cellKey));
        patched = cells.filter((cell) => !known.has(cellKey(cell)));
        return withExact(run, effectsOf(run, patched));
      },
    };
  });
  const json = async (...words: string[]): Promise<PatchJson> => {
    cli.out = '';
    assert.equal(await cli.run('patch', ...words, '--json'), 0, cli.err);
    return JSON.parse(cli.out) as PatchJson;
  };
  const mean = (cell: PatchCell): number => {
    const { effects } = effectsOf(exampleRun(), [cell]);
    return effects.filter((value) => !Number.isNaN(value)).reduce((sum, value) => sum + value, 0) / 3;
  };

  it('verifies the strongest heads, and shows estimate and exact in named axes, null where nothing was measured', async () => {
    const run = exampleRun();
    const document = await json('a.prompts.json', '--top', '2', '--raw');
    const { values } = headScores(run.manifest, run.arrays, 'z', 'all', { pair: 'all', unit: 'raw' });
    const strongest = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!)).slice(0, 2);
    assert.deepEqual(patched, strongest.map((i) => ({ site: 'z', layer: Math.floor(i / 3), head: i % 3 })));
    const [site] = document.sites;
    assert.deepEqual([site!.site, site!.over, site!.cells, site!.measured, document.unit], ['z', 'all', 6, 2, 'raw']);
    const { axes, estimate, exact } = site!.maps[0] as { axes: string[]; estimate: number[][]; exact: (number | null)[][] };
    assert.deepEqual(axes, ['layer', 'head']);
    assert.deepEqual(estimate.flat().map(Math.fround), Array.from(values));
    exact.flat().forEach((value, i) => {
      if (!strongest.includes(i)) assert.equal(value, null);
      else assert.ok(Math.abs(value! - mean({ site: 'z', layer: Math.floor(i / 3), head: i % 3 })) < 1e-6);
    });
  });

  it('divides both by the mean difference unless they are to be raw', async () => {
    const [raw, normalised] = [await json('a.prompts.json', '--full', '--raw'), await json('a.prompts.json', '--full')];
    const flat = ({ sites }: PatchJson, part: 'estimate' | 'exact'): number[] => (sites[0]!.maps[0]![part] as number[][]).flat();
    for (const part of ['estimate', 'exact'] as const) flat(normalised, part).forEach((value, i) => assert.ok(Math.abs(value - flat(raw, part)[i]! / 2) < 1e-6));
    assert.deepEqual(normalised.sites[0]!.agreement.pearson!.toFixed(5), raw.sites[0]!.agreement.pearson!.toFixed(5));
  });

  it('says of an over-estimate whether its sign is wrong', async () => {
    cli.work.patch = async ({ run, cells }) => {
      const measured = effectsOf(run, cells);
      return withExact(run, { ...measured, effects: measured.effects.map(() => 0.05) });
    };
    assert.equal(await cli.run('patch', 'a.prompts.json', '--full', '--raw'), 0, cli.err);
    const over = /^ {2}Over-estimated: (.*)$/m.exec(cli.out)![1]!.split('; ');
    const isWrong = over.map((words) => {
      const [, estimate, exact, wrong] = /^\d\.\d ([+-])\S+ for ([+-])[\d.]+( \(wrong sign\))?$/.exec(words)!;
      assert.equal(wrong !== undefined, estimate !== exact, words);
      return wrong !== undefined;
    });
    assert.ok(isWrong.includes(true) && isWrong.includes(false), over.join());
  });

  it('agrees as the points that it shows, and names the worst', async () => {
    const [site] = (await json('a.prompts.json', '--full')).sites;
    const { estimate, exact } = site!.maps[0] as { estimate: number[][]; exact: number[][] };
    const points = estimate.flat().map((value, i) => ({ estimate: value, exact: exact.flat()[i]! }));
    const expected = agreementOf(points);
    for (const figure of ['pearson', 'spearman', 'slope'] as const) assert.ok(Math.abs(site!.agreement[figure]! - expected[figure]!) < 1e-5, figure);
    assert.deepEqual([site!.agreement.count, site!.agreement.nonZero], [6, points.filter(({ estimate, exact }) => estimate !== 0 || exact !== 0).length]);
    assert.equal(site!.worst.over.length + site!.worst.under.length, 6);
    for (const { layer, head, estimate: value, exact: truth } of [...site!.worst.over, ...site!.worst.under]) {
      assert.equal(value, estimate[layer!]![head!]);
      assert.ok(Math.abs(truth - exact[layer!]![head!]!) < 1e-6);
    }
  });

  it('has one map per length over positions, and the strongest of all of them', async () => {
    const run = exampleRun();
    const [site] = (await json('a.prompts.json', '--site', 'attn_out', '--top', '3')).sites;
    assert.equal(site!.over, 'positions');
    assert.deepEqual(site!.maps.map(({ axes, length, pairs }) => [axes, length, pairs]), [[['layer', 'position'], 3, [0, 2]], [['layer', 'position'], 4, [1]]]);
    const all = [0, 1].flatMap((group) => {
      const { values, columns } = positionScores(run.manifest, run.arrays, group, 'attn_out', { pair: 'all', unit: 'raw' })!;
      return Array.from(values, (value, i) => ({ value, cell: { site: 'attn_out', group, layer: Math.floor(i / columns), position: i % columns } }));
    });
    all.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    assert.deepEqual(patched, all.slice(0, 3).map(({ cell }) => cell));
  });

  it('patches heads position by position', async () => {
    const [site] = (await json('a.prompts.json', '--over', 'by-position', '--full')).sites;
    assert.deepEqual(site!.maps.map(({ axes }) => axes), [['layer', 'position', 'head'], ['layer', 'position', 'head']]);
    const { estimate, exact } = site!.maps[1] as { estimate: number[][][]; exact: number[][][] };
    assert.deepEqual([estimate.length, estimate[0]!.length, estimate[0]![0]!.length], [2, 4, 3]);
    assert.ok(Math.abs(exact[1]![3]![2]! - mean({ site: 'z', group: 1, layer: 1, position: 3, head: 2 }) / 2) < 1e-6);
    const { values } = positionScores(exampleRun().manifest, exampleRun().arrays, 1, 'z', { pair: 'all', unit: 'normalised' })!;
    assert.ok(Math.abs(estimate[1]![3]!.reduce((sum, value) => sum + value, 0) - values[7]!) < 1e-6);
  });

  it('patches the cells of a head\'s pattern, beside the mean of what each carries', async () => {
    const asked: [number, number, readonly number[]][] = [];
    cli.work.attention = async ({ pair, layer, heads }) => {
      asked.push([pair, layer, heads]);
      const length = pair === 1 ? 4 : 3;
      return { heads: [...heads], arrays: packArrays([{ name: 'attribution', axes: ['head', 'dest', 'src'], shape: [1, length, length], data: Float32Array.from({ length: length * length }, (_, i) => (pair + 1) * (i % length <= Math.floor(i / length) ? i + 1 : 0)) }]) };
    };
    const [site] = (await json('a.prompts.json', '--site', 'pattern', '--over', 'cells', '--head', '1.2', '--top', '1', '--raw')).sites;
    assert.deepEqual(asked, [[0, 1, [2]], [2, 1, [2]], [1, 1, [2]]]);
    assert.deepEqual(patched, [{ site: 'pattern', group: 0, layer: 1, head: 2, position: 2, source: 2 }]);
    assert.deepEqual([site!.cells, site!.maps[0]!.head, site!.maps[0]!.axes], [6 + 10, { layer: 1, head: 2 }, ['dest', 'src']]);
    const third = (value: number): number => Math.fround((value * 4) / 3);
    const found = site!.maps[0]!.estimate as (number | null)[][];
    assert.deepEqual(found.map((row) => row.map((value) => (value === null ? null : Math.fround(value)))), [[third(1), null, null], [third(4), third(5), null], [third(7), third(8), third(9)]]);
    assert.equal(await cli.run('patch', 'a.prompts.json', '--site', 'pattern', '--over', 'cells', '--head', '2.0'), 2);
    assert.match(cli.err, /no head 2\.0; example has layers 0 to 1 of heads 0 to 2/);
  });

  it('ranks neurons of all layers', async () => {
    cli.answer = async () => {
      const run = exampleRun();
      const neurons = run.manifest.groups.map(({ pairs, length }, group) => ({ name: `group${group}.mlp_post`, axes: ['pair', 'layer', 'position', 'neuron'], shape: [pairs.length, 2, length, 24], data: Float32Array.from({ length: pairs.length * 2 * length * 24 }, (_, i) => (i % 24 === 5 ? 1 : 0)) }));
      return { ...run, arrays: packArrays(neurons) };
    };
    const [site] = (await json('a.prompts.json', '--site', 'mlp_post', '--top', '2', '--raw')).sites;
    assert.deepEqual(cli.jobs[0]!.sites, ['mlp_post']);
    assert.deepEqual(patched, [{ site: 'mlp_post', layer: 0, neuron: 5 }, { site: 'mlp_post', layer: 1, neuron: 5 }]);
    assert.ok(Math.abs((site!.maps[0]!.estimate as number[][])[1]![5]! - (2 * 3 + 4) / 3) < 1e-6);
  });

  it('prints tables for people, with a table of the agreement of several sites', async () => {
    assert.equal(await cli.run('patch', 'a.prompts.json', '--site', 'z,attn_out', '--full', '--top', '3'), 0, cli.err);
    assert.match(cli.out, /Head output \(z\), layer × head, all positions: 6 of 6 cells measured \(normalised: 0 corrupted … 1 clean\)\n/);
    assert.match(cli.out, /Attention output, layer × position: 14 of 14 cells measured/);
    assert.match(cli.out, /^ {2}#  cell +estimate +exact$/m);
    assert.match(cli.out, /^ +1 +\d@\d \(\d tokens\) +"[^"]+"( …)?( ≠)? +[+-]\d\.\d{4} +[+-]\d\.\d{4}$/m);
    assert.match(cli.out, /Estimate against exact over 6 cells: r -?\d\.\d{3}, Spearman ρ -?\d\.\d{3}, slope -?\d+\.\d{3} \(so few cells say little\)/);
    assert.match(cli.out, /Agreement of estimate and exact\n {2}site +cells[^]*\n {2}z +6 [^]*\n {2}attn_out +14 /);
    assert.equal(cli.out.match(/^ +\d +\d\.\d +[+-]/gm)!.length, 3);
  });

  describe('keeping a run', () => {
    const stored = (name = 'kept.safetensors'): Promise<Run> => readRunFile(path.join(cli.folder, name));

    it('writes it with all the panel shows, and goes on from it without measuring again', async () => {
      await json('a.prompts.json', '--top', '2', '--out', 'kept.safetensors');
      assert.equal(cli.jobs[0]!.sites!.length, 12);
      assert.equal(exactOf(await stored()).cells.length, 2);
      const again = await json('kept.safetensors', '--full', '--out', 'more.safetensors');
      assert.equal(cli.jobs.length, 1, 'a stored run is not attributed again');
      assert.equal(patched.length, 4);
      assert.deepEqual([again.sites[0]!.measured, exactOf(await stored('more.safetensors')).cells.length], [6, 6]);
      assert.equal(exactOf(await stored()).cells.length, 2, 'without --out nothing is written');
    });

    it('keeps what was measured before it was cancelled', async () => {
      cli.work.patch = async ({ run, cells }, call) => {
        call?.onProgress?.({ stage: 'Patching', fraction: 0.2, measured: effectsOf(run, cells.slice(0, 1)) });
        call?.onProgress?.({ stage: 'Patching', fraction: 0.5 });
        call?.onProgress?.({ stage: 'Patching', fraction: 0.5, measured: effectsOf(run, cells.slice(1, 3)) });
        throw new CircuitError('cancelled', 'Cancelled.');
      };
      assert.equal(await cli.run('patch', 'a.prompts.json', '--full', '--out', 'kept.safetensors', '--json'), 3);
      assert.equal(cli.out, '');
      assert.match(cli.err, /kept\.safetensors keeps what is measured, 3 of 6 cells/);
      const { cells, effects } = exactOf(await stored());
      assert.deepEqual(effects, effectsOf(exampleRun(), cells).effects);
      assert.equal(cells.length, 3);
      assert.equal(await cli.run('patch', 'a.prompts.json', '--full'), 3, 'and without a file it keeps nothing');
    });

    it('is not written over by what fails', async () => {
      cli.work.patch = () => Promise.reject(new CircuitError('too-big', 'no room'));
      assert.equal(await cli.run('patch', 'a.prompts.json', '--out', 'kept.safetensors'), 2);
      assert.match(cli.err, /a\.prompts\.json: no room/);
      await assert.rejects(stored(), /no such file/);
    });

    it('has an experiment of its own', async () => {
      await writeRunFile(path.join(cli.folder, 'run.safetensors'), exampleRun());
      for (const flags of [['--metric', 'kl'], ['--pair', '1'], ['--direction', 'noise'], ['--bos'], ['--variant', 'qk-fix']]) {
        assert.equal(await cli.run('patch', 'run.safetensors', ...flags), 2, flags.join(' '));
      }
      assert.match(cli.err, /is a stored run with an experiment of its own; --metric cannot change it/);
      assert.equal(await cli.run('attribute', 'run.safetensors'), 2);
      assert.match(cli.err, /run\.safetensors is no prompt file, which attribute takes\. A stored run is attributed already; patch, paths, circuit, attention, lens and intervene take it/);
      await writeFile(path.join(cli.folder, 'no.safetensors'), 'no run');
      assert.equal(await cli.run('patch', 'no.safetensors'), 2);
    });
  });

  it('says when there is nothing to rank by, and patches everything then', async () => {
    const bare = (): Run => ({ ...exampleRun(), arrays: packArrays([]) });
    cli.answer = async () => bare();
    assert.equal(await cli.run('patch', 'a.prompts.json', '--metric', 'kl', '--direction', 'noise'), 2);
    assert.match(cli.err, /no attribution of z .*--full/);
    assert.deepEqual(cli.jobs[0]!.sites, []);
    const [site] = (await json('a.prompts.json', '--metric', 'kl', '--full')).sites;
    assert.equal(site!.maps[0]!.estimate, null);
    assert.deepEqual([site!.measured, site!.agreement, site!.worst], [6, { count: 0, nonZero: 0, pearson: null, spearman: null, slope: null }, { over: [], under: [] }]);
    assert.equal(await cli.run('patch', 'a.prompts.json', '--full'), 0);
    assert.doesNotMatch(cli.out, /NaN/);
  });

  it('measures nothing that it cannot show', async () => {
    cli.answer = async () => {
      const run = exampleRun();
      run.manifest.pairs.forEach((pair) => (pair.metric = { clean: 1, corrupted: 1 }));
      return run;
    };
    assert.equal(await cli.run('patch', 'a.prompts.json'), 2);
    assert.match(cli.err, /--raw/);
    assert.deepEqual(patched, []);
  });
});
