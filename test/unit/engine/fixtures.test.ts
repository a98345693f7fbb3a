import assert from 'node:assert/strict';
import path from 'node:path';
import type { Engine } from '../../../src/engine/client/engine';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { startWorkerEngine } from '../../../src/engine/client/workerEngine';
import { CircuitError } from '../../../src/shared/errors';
import { arrayNamed, type ArrayView } from '../../../src/shared/arrays';
import { DIRECTIONS, type Direction } from '../../../src/shared/experiment';
import { groupArrayName, type AttributionResult, type Progress } from '../../../src/shared/results';
import type { SiteName } from '../../../src/shared/sites';
import { buildWorker } from './buildWorker';
import { expectedValues, layerErrors, loadParams, relativeError, remove, tokenExperiment, WASM_FOLDER, writeHashModel, type ExpectedCheckpoint, type ExpectedExperiment, type SiteErrors } from './support';

/** The sites whose values these files give; the others are in the sites-*.json files. */
const SITES_GIVEN: readonly SiteName[] = ['z', 'attn_out', 'mlp_out', 'resid_pre'];

/** The bound of the issue: 1e-4, or ten times PyTorch's own float32 error on the same checkpoint. */
function bound(float32Error: number): number {
  return Math.max(1e-4, 10 * float32Error);
}

describe('engine against float64 PyTorch', () => {
  const worst: string[] = [];
  after(() => console.log(worst.map((line) => `      ${line}`).join('\n')));

  for (const [name, backend] of [
    ['tiny-odd', 'cpu'],
    ['tiny-odd', 'wasm'],
    ['tiny-odd', 'wasm-simd'],
    ['two-layers', 'wasm-simd'],
    ['four-layers', 'wasm-simd'],
    ['four-layers', 'wasm-threads'],
    ['bundled-ioi', 'cpu'],
    ['bundled-ioi', 'wasm-simd'],
    ['bundled-ioi', 'wasm-threads'],
    ['gpt2-small-size', 'wasm-threads'],
  ] as const) {
    describe(`${name} on ${backend}`, function () {
      const isFullSize = name === 'gpt2-small-size';
      let engine: Engine;
      let expected: ExpectedCheckpoint;
      let temporary: string | undefined;

      before(async () => {
        expected = await expectedValues(name);
        if (name !== 'bundled-ioi') temporary = await writeHashModel(expected.checkpoint);
        const folder = temporary ?? path.resolve('media/model');
        engine = isFullSize ? startWorkerEngine({ script: await buildWorker() }) : new LocalEngine({ wasmFolder: WASM_FOLDER });
        const loaded = await engine.load(loadParams(folder, { backend, threads: 2 }));
        assert.equal(loaded.backend.name, backend);
      });
      after(async () => {
        await engine?.dispose();
        if (temporary) await remove(temporary);
      });

      it('logits', async () => {
        for (const experiment of expected.experiments) {
          for (const side of ['clean', 'corrupted'] as const) {
            const all = await engine.logits({ prompts: experiment.pairs.map((pair) => pair[side]!) });
            const values = all.flatMap((row) => (expected.logitTokens ? expected.logitTokens.map((token) => row[token]!) : Array.from(row)));
            const error = relativeError(values, experiment.logits[side].data);
            assert.ok(error <= bound(experiment.logits.float32Error), `${experiment.name}, ${side}: ${error}, PyTorch float32 ${experiment.logits.float32Error}`);
          }
        }
      });

      it('attribution at four sites, both directions', async () => {
        const table = new Map<string, [own: number, pytorch: number]>();
        for (const experiment of expected.experiments) {
          for (const direction of DIRECTIONS) {
            const result = await engine.attribute({ experiment: tokenExperiment(experiment, direction), sites: SITES_GIVEN });
            checkDiffs(result, experiment);
            for (const [view, errors] of Object.entries(errorsOf(result, experiment, direction))) {
              const theirs = experiment.directions[direction].float32Error[view as keyof SiteErrors];
              errors.forEach((error, layer) => {
                assert.ok(error <= bound(theirs[layer]!), `${experiment.name}, ${direction}, ${view}, layer ${layer}: ${error}, PyTorch float32 ${theirs[layer]}`);
                const [own, pytorch] = table.get(view) ?? [0, 0];
                table.set(view, [Math.max(own, error), Math.max(pytorch, theirs[layer]!)]);
              });
            }
          }
        }
        worst.push(`${name} on ${backend}, worst layer (PyTorch float32): ${[...table].map(([view, [own, pytorch]]) => `${view} ${own.toExponential(1)} (${pytorch.toExponential(1)})`).join(', ')}`);
      });

      if (!isFullSize) return;
      it('serves the next call after a cancel, however far the cancelled one has come', async () => {
        for (const share of [0, 0.25, 0.5, 0.75]) {
          // Prompts of its own, so that what is kept of the call before makes it no shorter.
          const tokens = Array.from({ length: 150 }, (_, i) => (i * 104_729 + Math.round(share * 1000)) % 50_257);
          const pairs = [75, 0].map((first) => ({ clean: tokens, corrupted: tokens.map((token, i) => (i === first ? token + 1 : token)), correct: [1], incorrect: [2] }));
          const abort = new AbortController();
          let reached = 0;
          const onProgress = ({ fraction }: Progress): void => {
            reached = fraction;
            if (fraction >= share) abort.abort();
          };
          const call = engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs }, sites: SITES_GIVEN }, { signal: abort.signal, onProgress });
          const next = new Promise((resolve) => abort.signal.addEventListener('abort', resolve)).then(() => engine.logits({ prompts: [[]] }));
          // Answered only when the engine is free again, with a refusal that takes no time of its own.
          const served = assert.rejects(next, (error) => CircuitError.is(error, 'experiment'));
          await assert.rejects(call, (error) => CircuitError.is(error, 'cancelled'));
          await served;
          assert.ok(reached >= share && reached < 1, `cancelled at ${reached}`);
        }
      });
    });
  }
});

function checkDiffs({ metric }: AttributionResult, { logitDiff: expected }: ExpectedExperiment): void {
  const error = relativeError([...metric.clean, ...metric.corrupted!], [...expected.clean, ...expected.corrupted]);
  assert.ok(error < 1e-4, `logit differences: ${error}`);
}

/** Per view, per layer. */
function errorsOf(result: AttributionResult, experiment: ExpectedExperiment, direction: Direction): Partial<SiteErrors> {
  const { pairs } = experiment.directions[direction];
  const own = (site: SiteName): ArrayView[] => pairs.map((_, pair) => pairArray(result, site, pair));
  const summed = (reduce: (view: ArrayView) => ArrayView): ArrayView[] => own('z').map(reduce);
  const views: Partial<Record<keyof SiteErrors, ArrayView[]>> = {
    z: own('z'),
    zAll: summed((view) => sumOver(view, 1)),
    zLast: summed(lastPosition),
    positions: summed((view) => sumOver(view, 2)),
    attn_out: own('attn_out'),
    mlp_out: own('mlp_out'),
    resid_pre: own('resid_pre'),
  };
  const errors: Partial<SiteErrors> = {};
  for (const view of Object.keys(views) as (keyof SiteErrors)[]) {
    const references = pairs.map((pair) => {
      if (pair[view]) return pair[view];
      // Full size keeps zAll and zLast only, the others z only. z summed over heads is attn_out: the bias has no difference.
      if (view === 'positions') return pair.attn_out!;
      if (!pair.z) return undefined;
      const z = { axes: ['layer', 'position', 'head'], shape: pair.z.shape, data: Float32Array.from(pair.z.data) };
      const reduced = view === 'zAll' ? sumOver(z, 1) : lastPosition(z);
      return { shape: [...reduced.shape], data: Array.from(reduced.data) };
    });
    if (references.every((reference) => reference !== undefined)) errors[view] = layerErrors(views[view]!, references);
  }
  return errors;
}

/** One pair's part of a result: [layer, position(, head)]. */
function pairArray(result: AttributionResult, site: SiteName, pair: number): ArrayView {
  const group = result.groups.findIndex(({ pairs }) => pairs.includes(pair));
  const { axes, shape, data } = arrayNamed(result.arrays, groupArrayName(group, site));
  const width = data.length / shape[0]!;
  const row = result.groups[group]!.pairs.indexOf(pair);
  return { axes: axes.slice(1), shape: shape.slice(1), data: data.subarray(row * width, (row + 1) * width) };
}

function sumOver({ axes, shape, data }: ArrayView, axis: 1 | 2): ArrayView {
  const [layers, positions, heads] = shape as [number, number, number];
  const width = axis === 1 ? heads : positions;
  const sums = new Float32Array(layers * width);
  for (let layer = 0; layer < layers; layer++) {
    for (let position = 0; position < positions; position++) {
      for (let head = 0; head < heads; head++) {
        sums[layer * width + (axis === 1 ? head : position)]! += data[(layer * positions + position) * heads + head]!;
      }
    }
  }
  return { axes: axes.filter((_, i) => i !== axis), shape: [layers, width], data: sums };
}

function lastPosition({ axes, shape, data }: ArrayView): ArrayView {
  const [layers, positions, heads] = shape as [number, number, number];
  const rows = Array.from({ length: layers }, (_, layer) => data.subarray(((layer + 1) * positions - 1) * heads, (layer + 1) * positions * heads));
  return { axes: [axes[0]!, axes[2]!], shape: [layers, heads], data: Float32Array.from(rows.flatMap((row) => [...row])) };
}
