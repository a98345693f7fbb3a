import assert from 'node:assert/strict';
import { cancelled } from '../../../src/shared/errors';
import type { CellChoice, MapRequest, PanelHost } from '../../../src/shared/panelProtocol';
import type { CallOptions } from '../../../src/shared/results';
import type { MapOf, Matrix, ViewOptions } from '../../../src/shared/views';
import { Numbers } from '../../../webview/numbers';
import { Verifying } from '../../../webview/verifying';

const map: MapOf = { site: 'z', over: 'all' };
const options: ViewOptions = { pair: 'all', unit: 'raw' };
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const matrix = (value: number): Matrix => ({ axes: ['layer', 'head'], rows: 1, columns: 1, values: Float32Array.of(value) });

/** A host that answers maps with how often it was asked. */
function hostOf(parts: Partial<PanelHost>): { host: PanelHost; asked: string[] } {
  const asked: string[] = [];
  const answering: Partial<PanelHost> = {
    map: async ({ values }: MapRequest) => {
      asked.push(values);
      return matrix(asked.length);
    },
    ...parts,
  };
  return { host: answering as PanelHost, asked };
}

describe('the numbers a panel asks for', () => {
  it('are asked for once, until more is measured: then exact ones anew, drawn as last known meanwhile', async () => {
    const { host, asked } = hostOf({});
    let arrivals = 0;
    const numbers = new Numbers(host, 'run', () => arrivals++);
    assert.equal(numbers.exact(map, options).state, 'loading');
    numbers.estimate(map, options);
    await soon();
    assert.equal(numbers.exact(map, options).state, 'ready');
    assert.deepEqual([asked, arrivals], [['exact', 'estimate'], 2]);
    numbers.measuredMore();
    const stale = numbers.exact(map, options);
    assert.equal(stale.state === 'ready' && stale.value.values[0], 1);
    numbers.exact(map, options);
    numbers.estimate(map, options);
    assert.deepEqual(asked, ['exact', 'estimate', 'exact'], 'one question is under way, estimates stay');
    await soon();
    const fresh = numbers.exact(map, options);
    assert.equal(fresh.state === 'ready' && fresh.value.values[0], 3);
  });

  it('are asked for again after a failure when that is wanted', async () => {
    let failing = true;
    const { host } = hostOf({ map: async () => (failing ? Promise.reject(new Error('gone')) : matrix(7)) });
    const numbers = new Numbers(host, 'run', () => undefined);
    numbers.estimate(map, options);
    await soon();
    assert.deepEqual(numbers.estimate(map, options), { state: 'failed', message: 'gone' });
    failing = false;
    numbers.retry();
    numbers.estimate(map, options);
    await soon();
    assert.equal(numbers.estimate(map, options).state, 'ready');
  });
});

describe('verifying', () => {
  const choice: CellChoice = { map, options, top: 4 };
  const start = (verify: PanelHost['verify']): { verifying: Verifying; said: string[]; running: Promise<void>; measured(): number } => {
    const { host } = hostOf({ verify, patchCost: async () => ({ cells: 4, known: 1, seconds: 1 }) });
    let measured = 0;
    const numbers = new Numbers(host, 'run', () => measured++);
    const said: string[] = [];
    const verifying = new Verifying(host, numbers, () => undefined, (text) => said.push(text));
    return { verifying, said, running: verifying.start(choice, 'top 4'), measured: () => measured };
  };

  it('counts the cells that were not measured before, and looks at what has come', async () => {
    let job: { done: number; cells?: number } | undefined;
    const { verifying, said, running, measured } = start(async (_params, call?: CallOptions) => {
      call?.onProgress?.({ stage: 'Patching', fraction: 0.9, done: 2 });
      job = verifying.job && { ...verifying.job };
    });
    await running;
    assert.deepEqual([job?.done, job?.cells], [2, 3]);
    assert.deepEqual([verifying.job, measured()], [undefined, 1]);
    assert.equal(said.at(-1), 'Measured 3 cells: top 4');
  });

  it('stops at the person’s wish without calling it a failure', async () => {
    const { verifying, said, running } = start((_params, call) => new Promise((_, reject) => call!.signal!.addEventListener('abort', () => reject(cancelled()))));
    await soon();
    verifying.cancel();
    await running;
    assert.deepEqual([verifying.failure, said.at(-1)], [undefined, 'Stopped. 0 of 3 cells measured']);
  });

  it('keeps what went wrong until the next start', async () => {
    const { verifying, running } = start(async () => Promise.reject(new Error('too big')));
    await running;
    assert.equal(verifying.failure, 'too big');
  });
});
