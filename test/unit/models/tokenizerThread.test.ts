import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { createTokenizerService } from '../../../src/models/tokenizerService';
import { startTokenizerThread, type TokenizerThread } from '../../../src/models/tokenizerThread';
import { CircuitError } from '../../../src/shared/errors';
import { temporaryFolder, tinyTokenizerJson } from './tinyTokenizer';

describe('models: tokenizer service', () => {
  let files: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    files = await temporaryFolder();
    await files.write('tokenizer.json', tinyTokenizerJson(['·Mary']));
  });
  afterEach(() => files.remove());

  it('reads a tokenizer anew when its file has changed', async () => {
    const service = createTokenizerService();
    const count = async (): Promise<number> => (await service.encode({ folder: files.folder, texts: [' John'] }))[0]!.tokens.length;
    assert.equal(await count(), 5);
    const file = await files.write('tokenizer.json', tinyTokenizerJson(['·Mary', '·John']));
    await utimes(file, new Date(), new Date(Date.now() + 2000));
    assert.equal(await count(), 1);
  });

  it('does not keep a failure', async () => {
    const service = createTokenizerService();
    const empty = await temporaryFolder();
    try {
      await assert.rejects(service.info({ folder: empty.folder }), (error) => CircuitError.is(error, 'tokenizer'));
      await empty.write('tokenizer.json', tinyTokenizerJson([]));
      assert.equal((await service.info({ folder: empty.folder })).vocabulary, 257);
    } finally {
      await empty.remove();
    }
  });

  describe('in its thread', () => {
    let worker: Awaited<ReturnType<typeof temporaryFolder>>;
    let thread: TokenizerThread;
    before(async () => {
      worker = await temporaryFolder();
      await build({ entryPoints: ['src/tokenizerWorker.ts'], bundle: true, platform: 'node', format: 'cjs', outfile: path.join(worker.folder, 'tokenizerWorker.js') });
      // Dies when it is asked anything, as a worker out of memory would.
      await worker.write('dying.js', "require('node:worker_threads').parentPort.on('message', () => process.exit(1));");
    });
    after(() => worker.remove());
    beforeEach(() => (thread = startTokenizerThread(path.join(worker.folder, 'tokenizerWorker.js'))));
    afterEach(() => thread.dispose());

    it('answers, errors too, and lives on', async () => {
      const [text] = await thread.encode({ folder: files.folder, texts: [' Mary'] });
      assert.deepEqual(text, { tokens: [{ id: text!.tokens[0]!.id, text: ' Mary' }], offsets: [[0, 5]] });
      await assert.rejects(thread.info({ folder: path.join(files.folder, 'nowhere') }), (error) => CircuitError.is(error, 'tokenizer'));
      assert.equal((await thread.info({ folder: files.folder })).bos?.text, '<|endoftext|>');
    });

    it('rejects after it is closed', async () => {
      await thread.info({ folder: files.folder });
      await thread.dispose();
      await assert.rejects(thread.info({ folder: files.folder }), /closed/);
    });

    it('rejects open calls when it is closed', async () => {
      const open = assert.rejects(thread.info({ folder: files.folder }), /closed/);
      await new Promise((resolve) => setImmediate(resolve));
      await thread.dispose();
      await open;
    });

    it('rejects when it dies and starts again at the next call', async () => {
      const dying = startTokenizerThread(path.join(worker.folder, 'dying.js'));
      try {
        await assert.rejects(dying.info({ folder: files.folder }), /stopped unexpectedly/);
        // A second rejection, not a wait for ever, shows that a new thread was asked.
        await assert.rejects(dying.info({ folder: files.folder }), /stopped unexpectedly/);
      } finally {
        await dying.dispose();
      }
    });

    it('is ended when it hangs in a call that was cancelled, and starts again at the next', async () => {
      const asked = path.join(worker.folder, 'asked');
      await worker.write('hanging.js', `require('node:worker_threads').parentPort.on('message', () => { require('node:fs').appendFileSync(${JSON.stringify(asked)}, '.'); for (;;); });`);
      const times = (): number => (existsSync(asked) ? readFileSync(asked, 'utf8').length : 0);
      const hanging = startTokenizerThread(path.join(worker.folder, 'hanging.js'), 50);
      try {
        for (const time of [1, 2]) {
          const abort = new AbortController();
          const call = assert.rejects(hanging.info({ folder: files.folder }, { signal: abort.signal }), (error) => CircuitError.is(error, 'cancelled'));
          while (times() < time) await sleep(20);
          abort.abort();
          await call;
        }
      } finally {
        await hanging.dispose();
      }
    });

    it('rejects when its script is missing', async () => {
      const missing = startTokenizerThread(path.join(worker.folder, 'missing.js'));
      await assert.rejects(missing.info({ folder: files.folder }), (error) => CircuitError.is(error, 'internal') && /Cannot find module/.test(String((error.cause as Error).message)));
      await missing.dispose();
    });
  });
});
