import assert from 'node:assert/strict';
import { Queue } from '../../../src/runner/queue';
import { CircuitError } from '../../../src/shared/errors';

interface Gate {
  promise: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

describe('runner queue', () => {
  it('runs one job at a time, in the order they came', async () => {
    const queue = new Queue();
    const { promise, open } = gate();
    const events: string[] = [];
    const first = queue.run(async () => {
      events.push('first starts');
      await promise;
      events.push('first ends');
      return 1;
    });
    const second = queue.run(async () => {
      events.push('second');
      return 2;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(events, ['first starts']);
    open();
    assert.deepEqual(await Promise.all([first, second]), [1, 2]);
    assert.deepEqual(events, ['first starts', 'first ends', 'second']);
  });

  it('drops a waiting job at once when its signal aborts, and never starts it', async () => {
    const queue = new Queue();
    const { promise, open } = gate();
    const abort = new AbortController();
    let started = false;
    const first = queue.run(() => promise);
    const second = queue.run(async () => {
      started = true;
    }, { signal: abort.signal });
    abort.abort();
    await assert.rejects(second, (error) => CircuitError.is(error, 'cancelled'));
    open();
    await first;
    await queue.run(async () => undefined);
    assert.equal(started, false);
  });

  it('tells a job that has to wait, and no other', async () => {
    const queue = new Queue();
    const { promise, open } = gate();
    const told: string[] = [];
    const job = (name: string): Promise<void> => queue.run(() => promise, { onProgress: ({ stage, fraction }) => told.push(`${name}: ${stage} ${fraction}`) });
    const all = [job('first'), job('second')];
    assert.equal(told.length, 1);
    assert.match(told[0]!, /^second: Waiting.* 0$/);
    open();
    await Promise.all(all);
    await job('third');
    assert.equal(told.length, 1);
  });

  it('goes on after a job that failed', async () => {
    const queue = new Queue();
    const failing = queue.run(async () => {
      throw new Error('broken');
    });
    const next = queue.run(async () => 'well');
    await assert.rejects(failing, /broken/);
    assert.equal(await next, 'well');
  });

  it('leaves a running job to its own signal', async () => {
    const queue = new Queue();
    const abort = new AbortController();
    const { promise, open } = gate();
    const running = queue.run(async () => {
      await promise;
      return 'finished';
    }, { signal: abort.signal });
    await new Promise((resolve) => setTimeout(resolve, 1));
    abort.abort();
    open();
    assert.equal(await running, 'finished');
  });

  it('runs short jobs before others that wait, among each other in their order, and not before what runs', async () => {
    const queue = new Queue();
    const { promise, open } = gate();
    const events: string[] = [];
    const add = (name: string, isShort: boolean): Promise<void> => queue.run(async () => void events.push(name), {}, { isShort });
    const running = queue.run(async () => {
      events.push('running');
      await promise;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const all = [running, add('long 1', false), add('short 1', true), add('long 2', false), add('short 2', true)];
    open();
    await Promise.all(all);
    assert.deepEqual(events, ['running', 'short 1', 'short 2', 'long 1', 'long 2']);
  });

  it('lets a short job in between the portions of a long work', async () => {
    const queue = new Queue();
    const events: string[] = [];
    const portions = (async () => {
      for (const portion of [1, 2, 3]) await queue.run(async () => {
        events.push(`portion ${portion}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      });
    })();
    await new Promise((resolve) => setTimeout(resolve, 2));
    const other = queue.run(async () => void events.push('another long work'));
    const read = queue.run(async () => void events.push('read'), {}, { isShort: true });
    await Promise.all([portions, other, read]);
    assert.deepEqual(events, ['portion 1', 'read', 'another long work', 'portion 2', 'portion 3']);
  });
});
