import assert from 'node:assert/strict';
import { HelperThreads } from '../../../src/engine/backend/kernels/helperThreads';
import { hasRelaxedSimd, instantiateKernels, LAYOUT, type Kernels } from '../../../src/engine/backend/kernels/module';
import { arenaBytes, mayPay, takeIfQuicker } from '../../../src/engine/backend/kernels/wide';
import { WASM_FOLDER } from './support';

const ROOM = 1 << 20;
const [JOB, SCRATCH, COPY_OF_A, A, B, PACKED, C] = [1, 2, 3, 4, 5, 6, 7].map((area) => area * ROOM) as [number, number, number, number, number, number, number];

/** Both programs in one memory whose operands are filled. */
async function bothKernels(): Promise<{ memory: WebAssembly.Memory; narrow: Kernels; wide: Kernels }> {
  const memory = new WebAssembly.Memory({ initial: (8 * ROOM) / 65536, maximum: 65536 });
  const values = new Float32Array(memory.buffer);
  for (let i = A / 4; i < PACKED / 4; i++) values[i] = Math.fround(Math.sin(i * 0.37));
  const [narrow, wide] = await Promise.all((['relaxed', 'wide'] as const).map(async (variant) => (await instantiateKernels(WASM_FOLDER, memory, variant)).kernels));
  return { memory, narrow: narrow!, wide: wide! };
}

describe('larger tiles', function () {
  before(function () {
    assert.ok(hasRelaxedSimd(), 'this Node has no fused multiply-add in wasm');
  });

  it('give the same bits as the smaller ones, with every layout, at and beside the borders of tiles, chunks and depths', async () => {
    const { memory, narrow, wide } = await bothKernels();
    const bias = A;
    const result = (kernels: Kernels, m: number, n: number, k: number, aTransposed: number, layout: number): Uint32Array => {
      new Uint8Array(memory.buffer, JOB, 256).fill(0);
      new Uint8Array(memory.buffer, C, ROOM).fill(255);
      if (layout === LAYOUT.packed) kernels.pack(B, k, n, PACKED);
      if (layout === LAYOUT.packedTransposed) kernels.pack(B, n, k, PACKED);
      const isPacked = layout === LAYOUT.packed || layout === LAYOUT.packedTransposed;
      kernels.multiply(JOB, SCRATCH, COPY_OF_A, 0, A, aTransposed, aTransposed ? m : k, isPacked ? PACKED : B, layout, C, bias, m, n, k, 1, 0, 0);
      // One value more than C has: nothing may be written there.
      return new Uint32Array(memory.buffer.slice(C, C + 4 * (m * n + 1)));
    };
    for (const [m, n, k] of [[1, 1, 1], [3, 5, 20], [6, 16, 1], [5, 15, 64], [8, 24, 300], [9, 30, 70], [7, 17, 257], [40, 96, 300], [13, 70, 512], [131, 40, 5], [2, 17, 40], [14, 33, 20], [17, 50, 20], [145, 50, 40], [12, 33, 1029]] as const) {
      for (const layout of Object.values(LAYOUT)) {
        for (const aTransposed of [0, 1]) {
          const [expected, actual] = [narrow, wide].map((kernels) => result(kernels, m, n, k, aTransposed, layout));
          assert.equal(expected!.at(-1), 0xffffffff);
          assert.deepEqual(actual, expected, `${m} x ${n} x ${k}, layout ${layout}, A ${aTransposed ? 'transposed' : 'plain'}`);
        }
      }
    }
  });

  it('do so in batches, whose items share an operand or do not, and with other threads', async () => {
    const { memory, narrow, wide } = await bothKernels();
    const fill = (): void => void new Uint8Array(memory.buffer, C, ROOM).fill(255);
    for (const [m, n, k, batch] of [[5, 15, 64, 7], [1, 5, 15, 3], [13, 20, 33, 2]] as const) {
      for (const layout of [LAYOUT.plain, LAYOUT.transposed]) {
        for (const aTransposed of [0, 1]) {
          for (const bStep of [0, 4 * n * k]) {
            const [expected, actual] = [narrow, wide].map((kernels) => {
              new Uint8Array(memory.buffer, JOB, 256).fill(0);
              fill();
              kernels.multiply(JOB, SCRATCH, 0, 0, A, aTransposed, aTransposed ? m : k, B, layout, C, 0, m, n, k, batch, 4 * m * k, bStep);
              return new Uint32Array(memory.buffer.slice(C, C + 4 * (batch * m * n + 1)));
            });
            assert.equal(expected!.at(-1), 0xffffffff);
            assert.deepEqual(actual, expected, `${batch} times ${m} x ${n} x ${k}, layout ${layout}`);
          }
        }
      }
    }
    const shared = new WebAssembly.Memory({ initial: (8 * ROOM) / 65536, maximum: 65536, shared: true });
    new Float32Array(shared.buffer).set(new Float32Array(memory.buffer));
    new Uint8Array(shared.buffer, JOB, 256).fill(0);
    const { module, kernels } = await instantiateKernels(WASM_FOLDER, shared, 'wide');
    const helpers = await HelperThreads.start({ module, memory: shared, job: JOB, scratch: [SCRATCH + ROOM / 2] }, () => kernels.stop(JOB));
    const [m, n, k] = [40, 300, 256];
    for (const layout of [LAYOUT.packed, LAYOUT.packedTransposed]) {
      for (const own of [narrow, kernels]) own.pack(B, layout === LAYOUT.packed ? k : n, layout === LAYOUT.packed ? n : k, PACKED);
      new Uint8Array(memory.buffer, JOB, 256).fill(0);
      narrow.multiply(JOB, SCRATCH, COPY_OF_A, 0, A, 0, k, PACKED, layout, C, 0, m, n, k, 1, 0, 0);
      kernels.multiply(JOB, SCRATCH, COPY_OF_A, 1, A, 0, k, PACKED, layout, C, 0, m, n, k, 1, 0, 0);
      const [expected, actual] = [memory, shared].map(({ buffer }) => new Uint32Array(buffer.slice(C, C + 4 * m * n)));
      assert.deepEqual(actual, expected, `two threads, layout ${layout}`);
    }
    await helpers.stop();
  });

  it('need less than the room that is set aside to try them out', async () => {
    const { memory, narrow, wide } = await bothKernels();
    const bytes = arenaBytes(narrow);
    assert.ok(bytes < 3 * ROOM && JOB + bytes < 7 * ROOM);
    new Uint8Array(memory.buffer, JOB + bytes).fill(255);
    const taken = await takeIfQuicker({ kernels: narrow }, () => Promise.resolve({ kernels: wide }), memory, JOB);
    assert.ok(taken === undefined || taken.kernels === wide);
    assert.ok(new Uint8Array(memory.buffer, JOB + bytes).every((byte) => byte === 255), 'something was written behind it');
  });

  /** `kernels` whose products take `duration` of the time that `now` tells. */
  function timed(kernels: Kernels, duration: () => number, clock: { time: number }): Kernels {
    return { ...kernels, multiply: (...all) => (clock.time += duration(), kernels.multiply(...all)) };
  }

  it('are taken where they are quicker by a fifth, time after time, and give the same bits', async () => {
    const { memory, narrow, wide } = await bothKernels();
    const race = async (ofNarrow: number, ofWide: () => number, own = wide): Promise<boolean> => {
      const clock = { time: 0 };
      const [one, other] = [{ kernels: timed(narrow, () => ofNarrow, clock) }, { kernels: timed(own, ofWide, clock) }];
      const taken = await takeIfQuicker(one, () => Promise.resolve(other), memory, JOB, () => clock.time);
      assert.ok(taken === undefined || taken === other);
      return taken !== undefined;
    };
    assert.equal(await race(13, () => 10), true);
    assert.equal(await race(11, () => 10), false);
    assert.equal(await race(10, () => 40), false);
    // Each race has sixteen products more before the two that are timed. Quick in every second race only, as on a machine that others use.
    let turn = 0;
    assert.equal(await race(13, () => (turn++ % 36 === 17 ? 1000 : 10)), false);
    // Slow until they are optimised.
    turn = 0;
    assert.equal(await race(13, () => (turn++ < 300 ? 50 : 10)), true);
    // Quick, but no product at all.
    assert.equal(await race(13, () => 10, { ...wide, multiply: () => undefined }), false);
  });

  it('are looked for where they can pay: V8 13 and later on x64, and arm64', () => {
    const linux = { arch: 'x64', platform: 'linux' } as const;
    const of = (v8: string): NodeJS.ProcessVersions => ({ ...process.versions, v8 });
    assert.ok(mayPay(of('13.6.233.17-node.53'), linux) && mayPay(of('14.2.231.9-electron.0'), linux));
    assert.ok(!mayPay(of('12.4.254.21-node.57'), linux));
    assert.ok(!mayPay(of('13.6.1'), { ...linux, platform: 'darwin' }));
    assert.ok(mayPay(of('11.3.244.8-node.33'), { arch: 'arm64', platform: 'darwin' }));
  });
});
