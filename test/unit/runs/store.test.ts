import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { RunStore } from '../../../src/runs/store';
import { isRunId, newRunId } from '../../../src/runs/id';
import { CircuitError } from '../../../src/shared/errors';
import { exampleRun } from './exampleRun';

const FIRST = '20260131T120000123Z-aaaaaaaa';
const SECOND = '20260131T120000124Z-00000000';

function failsWith(code: CircuitError['code'], message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(CircuitError.is(error, code), String(error));
    assert.match(error.message, message);
    return true;
  };
}

describe('run store', () => {
  let parent: string;
  let store: RunStore;

  beforeEach(async () => {
    parent = await mkdtemp(path.join(os.tmpdir(), 'runs-'));
    store = new RunStore(path.join(parent, 'a', 'runs'));
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('makes its folder and gives back what was saved', async () => {
    const run = exampleRun();
    const file = await store.save(run);
    assert.equal(file, path.join(store.folder, `${FIRST}.safetensors`));
    assert.deepEqual(await store.load(FIRST), run);
    assert.deepEqual(await readdir(store.folder), [path.basename(file)], 'no temporary file stays behind');
  });

  it('lists the newest first, and broken files as broken', async () => {
    assert.deepEqual(await store.list(), []);
    await store.save(exampleRun(FIRST));
    await store.save(exampleRun(SECOND));
    await writeFile(path.join(store.folder, 'zzz.safetensors'), 'no run');
    await writeFile(path.join(store.folder, '.x.safetensors.1.tmp'), 'half');
    await writeFile(path.join(store.folder, 'notes.txt'), 'mine');
    await copyFile(store.fileOf(FIRST), store.fileOf('copy'));
    const listings = await store.list();
    assert.deepEqual(listings.map(({ id }) => id), ['zzz', 'copy', SECOND, FIRST]);
    const [zzz, copy, second] = listings;
    assert.ok(zzz && 'broken' in zzz && /shorter than the smallest/.test(zzz.broken));
    assert.ok(copy && 'broken' in copy && /holds the run 20260131T120000123Z-aaaaaaaa: rename it/.test(copy.broken));
    assert.ok(second && 'manifest' in second);
    assert.deepEqual(second.manifest, exampleRun(SECOND).manifest);
  });

  it('lists without reading the numbers', async () => {
    const file = await store.save(exampleRun());
    const bytes = await readFile(file);
    bytes.fill(0xff, bytes.length - 8);
    await writeFile(file, bytes);
    assert.ok('manifest' in (await store.list())[0]!);
    await assert.rejects(store.load(FIRST), failsWith('run-file', /NaN/));
  });

  it('deletes only what it is told to', async () => {
    await store.save(exampleRun(FIRST));
    await store.save(exampleRun(SECOND));
    await store.delete(FIRST);
    assert.deepEqual((await store.list()).map(({ id }) => id), [SECOND]);
    await assert.rejects(store.load(FIRST), failsWith('run-file', /no such file/));
  });

  it('refuses ids that would leave the folder', async () => {
    for (const id of ['../x', '/etc/x', 'a/b', 'a\\b', '', '.', '..', '.hidden', 'C:x', 'x\0y', 'x'.repeat(101)]) {
      assert.throws(() => store.fileOf(id), failsWith('run-file', /is not the id of a run/));
      await assert.rejects(store.load(id), failsWith('run-file', /is not the id/));
      await assert.rejects(store.delete(id), failsWith('run-file', /is not the id/));
    }
    await assert.rejects(store.save(exampleRun('../../x')), failsWith('run-file', /is not the id/));
  });

  it('says so when the folder cannot be written', async () => {
    await writeFile(path.join(parent, 'a'), 'a file where the folder should be');
    await assert.rejects(store.save(exampleRun()), failsWith('storage', /could not be written to .*\(a file is where a folder should be\)\. Check that/));
    await assert.rejects(store.list(), failsWith('storage', /could not be read/));
  });

  it('leaves the old file whole and no litter when a write fails', async () => {
    const file = await store.save(exampleRun(FIRST));
    await mkdir(path.join(store.fileOf(SECOND), 'in the way'), { recursive: true });
    await assert.rejects(store.save(exampleRun(SECOND)), failsWith('storage', /could not be written/));
    assert.deepEqual((await readdir(store.folder)).sort(), [path.basename(file), `${SECOND}.safetensors`].sort());
    assert.deepEqual(await store.load(FIRST), exampleRun(FIRST));
  });
});

describe('run ids', () => {
  it('sort by time and are valid', () => {
    const times = [0, 1, 999, 1_000, 86_400_000, 1_769_860_800_123];
    const ids = times.map((time) => newRunId(new Date(time)));
    assert.deepEqual([...ids].sort(), ids);
    assert.ok(ids.every(isRunId));
  });

  it('differ within one millisecond', () => {
    const now = new Date();
    assert.equal(new Set(Array.from({ length: 1000 }, () => newRunId(now))).size, 1000);
    assert.equal(newRunId(new Date('2026-01-31T12:00:00.123Z'), () => 0.999999), '20260131T120000123Z-zzzzzzzz');
  });
});
