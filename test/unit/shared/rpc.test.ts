import assert from 'node:assert/strict';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { CircuitError } from '../../../src/shared/errors';
import type { CallOptions, Progress } from '../../../src/shared/results';
import { connectRpc, serveRpc, type Port } from '../../../src/shared/rpc';

interface Arithmetic {
  add(params: { a: number; b: number }, call?: CallOptions): Promise<number>;
  fail(params: { message: string }, call?: CallOptions): Promise<never>;
  wait(params: Record<string, never>, call?: CallOptions): Promise<string>;
  unsendable(params: Record<string, never>, call?: CallOptions): Promise<unknown>;
}

function portOf(port: MessagePort): Port {
  return {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => {
      port.on('message', listener);
      return () => port.off('message', listener);
    },
  };
}

describe('rpc', () => {
  let channel: MessageChannel;
  let client: ReturnType<typeof connectRpc<Arithmetic>>;

  beforeEach(() => {
    channel = new MessageChannel();
    serveRpc<Arithmetic>(portOf(channel.port1), {
      add: async ({ a, b }, call) => {
        call.onProgress({ stage: 'adding', fraction: 0.5 });
        return a + b;
      },
      fail: async ({ message }) => {
        throw new CircuitError('experiment', message, { cause: new Error('deeper'), place: { offset: 1, length: 2, line: 1, column: 2 } });
      },
      wait: (_params, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new CircuitError('cancelled', 'Cancelled.')))),
      unsendable: async () => () => 0,
    });
    client = connectRpc<Arithmetic>(portOf(channel.port2));
  });
  afterEach(() => channel.port1.close());

  it('answers a call and reports its progress', async () => {
    const seen: Progress[] = [];
    assert.equal(await client.remote.add({ a: 2, b: 3 }, { onProgress: (progress) => seen.push(progress) }), 5);
    assert.deepEqual(seen, [{ stage: 'adding', fraction: 0.5 }]);
  });

  it('carries errors with code, cause and place', async () => {
    await assert.rejects(client.remote.fail({ message: 'no' }), (error: unknown) => {
      assert.ok(CircuitError.is(error, 'experiment'));
      assert.equal(error.message, 'no');
      assert.match(String(error.cause), /deeper/);
      assert.deepEqual(error.place, { offset: 1, length: 2, line: 1, column: 2 });
      return true;
    });
  });

  it('answers with an error when the answer cannot travel', async () => {
    await assert.rejects(client.remote.unsendable({}), /could not be cloned/);
  });

  it('cancels the call whose signal aborts', async () => {
    const abort = new AbortController();
    const call = client.remote.wait({}, { signal: abort.signal });
    setTimeout(() => abort.abort(), 5);
    await assert.rejects(call, (error: unknown) => CircuitError.is(error, 'cancelled'));
  });

  it('rejects open and later calls once it is closed', async () => {
    const open = client.remote.wait({});
    client.close(new CircuitError('internal', 'The worker died.'));
    await assert.rejects(open, /worker died/);
    await assert.rejects(client.remote.add({ a: 1, b: 1 }), /worker died/);
  });

  it('refuses methods that do not exist, also inherited ones', async () => {
    const anything = client.remote as unknown as Record<string, (params: unknown) => Promise<unknown>>;
    await assert.rejects(anything['toString']!({}), /no method/);
  });

  it('can be awaited without being taken for a promise', async () => {
    const { remote } = await Promise.resolve(client);
    assert.equal(await (await Promise.resolve(remote)).add({ a: 1, b: 1 }), 2);
  });

  it('takes an answer of undefined from a port that carries JSON, as a webview does', async () => {
    interface Quiet {
      done(params: Record<string, never>, call?: CallOptions): Promise<void>;
    }
    const json = (port: Port): Port => ({ ...port, post: (message) => port.post(JSON.parse(JSON.stringify(message))) });
    const { port1, port2 } = new MessageChannel();
    serveRpc<Quiet>(json(portOf(port1)), { done: async () => undefined });
    assert.equal(await connectRpc<Quiet>(json(portOf(port2))).remote.done({}), undefined);
    port1.close();
  });
});
