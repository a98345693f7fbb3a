import assert from 'node:assert/strict';
import { cancelled } from '../../../src/shared/errors';
import type { CallOptions } from '../../../src/shared/results';
import { Computed } from '../../../webview/computed';

/** A computation that a test ends by hand. */
class Job {
  call?: CallOptions;
  end!: (value: string) => void;
  fail!: (error: Error) => void;
  readonly compute = (call: CallOptions): Promise<string> => {
    this.call = call;
    return new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const never = (): Promise<string> => assert.fail('computed again');

describe('what the engine computes for a view', () => {
  it('is computed once, with progress on the way', async () => {
    let told = 0;
    const computed = new Computed<string>(5, () => told++);
    const job = new Job();
    assert.deepEqual(computed.ask('a', job.compute), { state: 'running' });
    job.call!.onProgress!({ stage: 'half', fraction: 0.5 });
    assert.equal(told, 1);
    assert.deepEqual(computed.ask('a', never), { state: 'running', progress: { stage: 'half', fraction: 0.5 } });
    job.end('A');
    await settled();
    assert.equal(told, 2);
    assert.deepEqual(computed.ask('a', never), { state: 'ready', value: 'A' });
  });

  it('is cancelled when something else is asked for, and its failure then is nobody’s', async () => {
    let told = 0;
    const computed = new Computed<string>(5, () => told++);
    const [first, second] = [new Job(), new Job()];
    computed.ask('a', first.compute);
    computed.ask('b', second.compute);
    assert.equal(first.call!.signal!.aborted, true);
    first.fail(cancelled());
    await settled();
    assert.equal(told, 0);
    assert.equal(computed.ask('b', never).state, 'running');
    second.end('B');
    await settled();
    const again = new Job();
    assert.equal(computed.ask('a', again.compute).state, 'running', 'asked for once more');
  });

  it('that comes late is kept for the time it is asked for, and drawn for nothing else', async () => {
    let told = 0;
    const computed = new Computed<string>(5, () => told++);
    const [first, second] = [new Job(), new Job()];
    computed.ask('a', first.compute);
    computed.ask('b', second.compute);
    first.end('A');
    await settled();
    assert.equal(told, 0);
    assert.equal(computed.ask('b', never).state, 'running');
    assert.deepEqual(computed.ask('a', never), { state: 'ready', value: 'A' });
    assert.equal(second.call!.signal!.aborted, true);
  });

  it('can fail, and is tried again when asked to', async () => {
    const computed = new Computed<string>(5, () => {});
    const job = new Job();
    computed.ask('a', job.compute);
    job.fail(new Error('No memory.'));
    await settled();
    assert.deepEqual(computed.ask('a', never), { state: 'failed', message: 'No memory.' });
    computed.retry();
    assert.equal(computed.ask('a', new Job().compute).state, 'running');
  });

  it('stopped by the person says so until it is tried again', () => {
    const computed = new Computed<string>(5, () => {});
    const job = new Job();
    computed.ask('a', job.compute);
    computed.stop();
    assert.equal(job.call!.signal!.aborted, true);
    assert.deepEqual(computed.ask('a', never), { state: 'failed', message: 'Cancelled.' });
  });

  it('is forgotten when it has not been used for longest', async () => {
    const computed = new Computed<string>(2, () => {});
    for (const key of ['a', 'b']) {
      computed.ask(key, () => Promise.resolve(key));
      await settled();
    }
    computed.ask('a', never);
    computed.ask('c', () => Promise.resolve('c'));
    await settled();
    assert.equal(computed.ask('a', never).state, 'ready');
    assert.equal(computed.ask('b', new Job().compute).state, 'running');
  });
});
