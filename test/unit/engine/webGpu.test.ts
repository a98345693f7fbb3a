import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchImmediates } from '../../../src/engine/backend/immediates';
import { realAdapter, type AdapterInfo } from '../../../src/engine/backend/webGpu';
import { CircuitError } from '../../../src/shared/errors';

describe('WebGPU backend', () => {
  const adapter = (info: Partial<AdapterInfo>) => ({ info: { vendor: '', architecture: '', device: '', description: '', ...info } });

  it('takes a GPU', () => {
    for (const info of [
      { vendor: 'nvidia', architecture: 'ampere', device: '0x2204', description: 'NVIDIA GeForce RTX 3090', isFallbackAdapter: false },
      { vendor: 'intel', architecture: 'gen-12lp', description: 'Intel(R) Iris(R) Xe Graphics' },
      { vendor: 'apple', architecture: 'common-3', description: 'Apple M2' },
    ]) {
      const own = adapter(info);
      assert.equal(realAdapter(own), own);
    }
  });

  it('refuses what only looks like one, by its words or by its own flag, and says what it was', () => {
    for (const info of [
      // As Dawn describes them.
      { vendor: 'google', architecture: 'swiftshader', device: 'swiftshader-device-subzero-', description: 'SwiftShader driver 5.0.0' },
      { vendor: 'mesa', device: 'llvmpipe (LLVM 15.0.6, 256 bits)' },
      { vendor: 'microsoft', description: 'Microsoft Basic Render Driver' },
      { vendor: 'acme', description: 'Something', isFallbackAdapter: true },
    ]) {
      assert.throws(
        () => realAdapter(adapter(info)),
        (error) => CircuitError.is(error, 'backend') && /software adapter/.test(error.message) && error.message.includes(info.vendor) && /"auto"/.test(error.message),
      );
    }
  });

  it('says that there is none', () => {
    assert.throws(() => realAdapter(null), (error) => CircuitError.is(error, 'backend') && /found no GPU/.test(error.message));
  });
});

describe('immediates run early', () => {
  const original = globalThis.setImmediate;
  afterEach(() => void (globalThis.setImmediate = original));

  /** A function whose source cannot be seen, as native code's cannot. */
  const native = (callback: () => void): (() => void) => callback.bind(undefined);

  it('runs what native code waits for, again and again, and nothing of it twice', async () => {
    const immediates = watchImmediates();
    let polls = 0;
    const poll = (): void => {
      if (++polls < 5) setImmediate(native(poll));
    };
    setImmediate(native(poll));
    immediates.run(() => polls === 5);
    assert.equal(polls, 5);
    await sleep(5);
    assert.equal(polls, 5);
  });

  it('leaves to the event loop what is still waiting, and what is not native code', async () => {
    const immediates = watchImmediates();
    const ran: string[] = [];
    setImmediate(() => ran.push('script'));
    setImmediate(native(() => {
      ran.push('first');
      setImmediate(native(() => ran.push('second')));
    }));
    immediates.run(() => ran.length > 0);
    assert.deepEqual(ran, ['first']);
    await sleep(5);
    assert.deepEqual(ran.sort(), ['first', 'script', 'second']);
  });

  it('runs all in their turn where nobody hurries', async () => {
    watchImmediates();
    const values: unknown[] = [];
    setImmediate((value: unknown) => values.push(value), 7);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(values, [7]);
  });
});
