import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import path from 'node:path';
import { nativeEnvironment } from '../../../src/engine/client/nativeEnvironment';
import { checkInstalled, installationStamp, isNative, missingPackages, NATIVE_ORDER, NATIVE_PACKAGES, packageFolder, packageSpecs, TFJS_VERSION } from '../../../src/engine/client/nativePackages';
import { withOwnBuffers } from '../../../src/engine/client/ownBuffers';
import { CircuitError } from '../../../src/shared/errors';
import { installStandIn } from './standIns';
import { remove, temporaryFolder } from './support';

describe('packages of native backends', () => {
  let folder: string;
  beforeEach(async () => (folder = await temporaryFolder()));
  afterEach(() => remove(folder));

  it('are pinned to the tfjs that the engine is built with', () => {
    const { version } = JSON.parse(readFileSync('node_modules/@tensorflow/tfjs-core/package.json', 'utf8')) as { version: string };
    assert.equal(TFJS_VERSION, version);
    for (const { name, version: pinned } of Object.values(NATIVE_PACKAGES).flat()) {
      assert.match(pinned, /^\d+\.\d+\.\d+$/, name);
      if (name.startsWith('@tensorflow/')) assert.equal(pinned, version, name);
    }
    assert.deepEqual(packageSpecs('webgpu'), ['webgpu@0.6.2', '@tensorflow/tfjs-backend-webgpu@4.22.0', '@tensorflow/tfjs-core@4.22.0']);
  });

  it('are no dependency of the extension', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string> | undefined>;
    const own = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'].flatMap((field) => Object.keys(manifest[field] ?? {}));
    assert.deepEqual(own.filter((name) => /tfjs-node|webgpu/.test(name)), []);
  });

  it('are known by their backends\' names', () => {
    assert.deepEqual([...NATIVE_ORDER].sort(), Object.keys(NATIVE_PACKAGES).sort());
    assert.deepEqual(['native', 'native-gpu', 'webgpu', 'wasm', 'cpu', 'auto', 'toString'].map(isNative), [true, true, true, false, false, false, false]);
  });

  it('are installed when all of them are there', async () => {
    assert.equal(missingPackages(folder, 'webgpu').length, 3);
    assert.equal(installationStamp(folder, 'webgpu'), undefined);
    await installStandIn(folder, 'webgpu', '');
    assert.deepEqual(missingPackages(folder, 'webgpu'), []);
    const stamp = installationStamp(folder, 'webgpu');
    assert.equal(installationStamp(folder, 'webgpu'), stamp);
    await utimes(path.join(packageFolder(folder, 'webgpu'), 'package.json'), 1e9, 1e9);
    assert.notEqual(installationStamp(folder, 'webgpu'), stamp);
  });

  it('are refused with the way to install them', async () => {
    assert.throws(() => checkInstalled(folder, 'webgpu'), (error) => CircuitError.is(error, 'backend') && /no webgpu and no @tensorflow\/tfjs-backend-webgpu and no/.test(error.message) && /Install native backend…/.test(error.message));
    // webgpu itself has versions of its own.
    await installStandIn(folder, 'webgpu', '');
    checkInstalled(folder, 'webgpu');
    await installStandIn(folder, 'native', '', '4.21.0');
    assert.throws(() => checkInstalled(folder, 'native'), (error) => CircuitError.is(error, 'backend') && /4\.21\.0/.test(error.message));
  });
});

describe('environment of a native backend', () => {
  it('gives TensorFlow its threads, one core left where there are more than two', () => {
    const threads = (asked: number, cores: number): unknown => nativeEnvironment(asked, {}, cores)['TF_NUM_INTRAOP_THREADS'];
    assert.deepEqual([threads(0, 1), threads(0, 2), threads(0, 16), threads(5, 2)], ['1', '2', '15', '5']);
  });

  it('keeps what the person has set, and makes Node of VS Code\'s executable', () => {
    const own = nativeEnvironment(1, { PATH: '/bin', TF_CPP_MIN_LOG_LEVEL: '0' });
    assert.equal(own['PATH'], '/bin');
    assert.equal(own['TF_CPP_MIN_LOG_LEVEL'], '0');
    assert.equal(own['TF_FORCE_GPU_ALLOW_GROWTH'], 'true');
    assert.equal(own['ELECTRON_RUN_AS_NODE'], '1');
  });
});

describe('arrays out of a larger buffer', () => {
  it('get one of their own, wherever they stand', () => {
    const large = new Float32Array(100).map((_, i) => i);
    const message = { rpc: 'response', result: { ok: { arrays: { data: large.subarray(10, 14), entries: { a: { shape: [4] } } }, list: [large.subarray(0, 2)], seconds: 3, nothing: undefined, none: null } } };
    const own = withOwnBuffers(message);
    assert.deepEqual(own, message);
    assert.equal(own.result.ok.arrays.data.buffer.byteLength, 16);
    assert.equal(own.result.ok.list[0]!.buffer.byteLength, 8);
  });

  it('are left alone where they have one', () => {
    const whole = Float32Array.of(1, 2);
    assert.equal(withOwnBuffers({ whole }).whole, whole);
  });
});
