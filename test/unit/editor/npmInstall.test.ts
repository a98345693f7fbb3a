import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { folderManifest, installPackages, npmInstallCommand, reasonOf, type CommandLine } from '../../../src/editor/npmInstall';
import { nativeFolderFrom } from '../../../src/editor/settingValues';
import { CircuitError } from '../../../src/shared/errors';
import { isAlive } from '../../isAlive';

describe('installing a native backend', () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(path.join(tmpdir(), 'circuit-native-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('runs the person\'s npm with pinned versions', () => {
    const { command, args, shell } = npmInstallCommand('native', 'linux');
    assert.deepEqual([command, shell], ['npm', false]);
    assert.equal(args[0], 'install');
    assert.ok(args.includes('--save-exact') && args.includes('@tensorflow/tfjs-node@4.22.0'));
    assert.ok(npmInstallCommand('native-gpu', 'linux').args.includes('@tensorflow/tfjs-node-gpu@4.22.0'));
    assert.ok(npmInstallCommand('webgpu', 'darwin').args.includes('webgpu@0.6.2'));
  });

  it('asks for install scripts only where the package is empty without', () => {
    assert.ok(npmInstallCommand('native', 'linux').args.includes('--ignore-scripts=false'));
    assert.ok(!npmInstallCommand('webgpu', 'linux').args.some((arg) => arg.includes('scripts')));
  });

  it('goes through a shell on Windows, with nothing that a shell would read', () => {
    const { command, args, shell } = npmInstallCommand('webgpu', 'win32');
    assert.deepEqual([command, shell], ['npm.cmd', true]);
    for (const arg of args) assert.match(arg, /^[\w@./=-]+$/);
  });

  it('lets npm run the scripts of these packages, and keeps what the folder\'s manifest says already', () => {
    const manifest = folderManifest({ dependencies: { webgpu: '0.6.2' }, allowScripts: { other: false } });
    assert.deepEqual(manifest['dependencies'], { webgpu: '0.6.2' });
    assert.equal(manifest['private'], true);
    assert.deepEqual(manifest['allowScripts'], { other: false, '@tensorflow/tfjs-node': true, '@tensorflow/tfjs-node-gpu': true, webgpu: true });
  });

  it('finds the line that tells most', () => {
    const script = ['npm http fetch GET 200 https://registry.example', 'CPU-linux-4.22.0.tar.gz', 'throw er; // Unhandled \'error\' event', 'Error: getaddrinfo ENOTFOUND storage.example', 'npm error code 1', 'npm error path /native', 'npm error command failed', 'npm error A complete log of this run can be found in: /x'];
    assert.equal(reasonOf(script), 'Error: getaddrinfo ENOTFOUND storage.example');
    assert.equal(reasonOf(['npm error code E404', 'npm error 404 Not Found - GET https://registry.example/x', 'npm error A complete log of this run can be found in: /x']), '404 Not Found - GET https://registry.example/x');
    assert.equal(reasonOf(['killed.']), 'killed');
    assert.equal(reasonOf([]), 'it wrote nothing');
  });

  /** Runs a script in place of npm. */
  const install = async (script: string, { signal = new AbortController().signal, lines = [] as string[] } = {}): Promise<void> => {
    const commandLine: CommandLine = { command: process.execPath, args: ['-e', script], shell: false };
    await installPackages({ folder: path.join(folder, 'native'), backend: 'native', signal, onLine: (line) => lines.push(line), commandLine });
  };
  const packageMain = (): string => path.join(folder, 'native', 'node_modules', '@tensorflow', 'tfjs-node');

  it('runs in the folder, which it makes, and passes on each line', async () => {
    const lines: string[] = [];
    await install(`require('node:fs').writeFileSync('was-here', ''); console.log('one'); process.stderr.write('two\\rthree\\n');`, { lines });
    assert.ok(existsSync(path.join(folder, 'native', 'was-here')));
    assert.deepEqual(lines.sort(), ['one', 'three', 'two']);
    const manifest = JSON.parse(await readFile(path.join(folder, 'native', 'package.json'), 'utf8')) as { private: boolean };
    assert.equal(manifest.private, true);
  });

  it('says why it failed, with npm\'s last lines, and leaves nothing that looks installed', async () => {
    await mkdir(packageMain(), { recursive: true });
    await writeFile(path.join(packageMain(), 'package.json'), '{}');
    await assert.rejects(
      install(`for (let i = 0; i < 90; i++) console.error('line ' + i); console.error('npm error code ENOTFOUND\\nnpm error network request to https://registry.example failed'); process.exit(1);`),
      (error) => {
        assert.ok(CircuitError.is(error, 'backend'));
        assert.match(error.message, /could not install the backend "native": network request to https:\/\/registry\.example failed/);
        assert.match(String(error.cause), /line 89/);
        assert.doesNotMatch(String(error.cause), /line 1\n/);
        return true;
      },
    );
    assert.ok(!existsSync(packageMain()));
  });

  it('says that npm is missing', async () => {
    const commandLine: CommandLine = { command: path.join(folder, 'no-npm-here'), args: [], shell: false };
    await assert.rejects(
      installPackages({ folder, backend: 'native', signal: new AbortController().signal, onLine: () => undefined, commandLine }),
      (error) => CircuitError.is(error, 'backend') && /npm was not found.*Node\.js/.test(error.message),
    );
  });

  it('says that a folder cannot be written', async () => {
    await writeFile(path.join(folder, 'file'), '');
    await assert.rejects(
      installPackages({ folder: path.join(folder, 'file', 'native'), backend: 'native', signal: new AbortController().signal, onLine: () => undefined }),
      (error) => CircuitError.is(error, 'storage') && /circuitExplorer\.nativeFolder/.test(error.message),
    );
  });

  it('ends npm and what it has started when it is cancelled', async () => {
    const lines: string[] = [];
    const abort = new AbortController();
    const script = `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }); console.log(child.pid); setInterval(() => {}, 1000);`;
    const call = assert.rejects(install(script, { signal: abort.signal, lines }), (error) => CircuitError.is(error, 'cancelled'));
    while (lines.length === 0) await sleep(20);
    abort.abort();
    await call;
    // An orphan's end is noted a little later.
    for (let waited = 0; isAlive(Number(lines[0])); waited += 20) {
      assert.ok(waited < 60_000, 'it is still alive');
      await sleep(20);
    }
  });
});

describe('the folder of native backends', () => {
  it('is what the setting names, from the home folder on', () => {
    assert.equal(nativeFolderFrom(' /opt/native ', '/home/ada'), path.resolve('/opt/native'));
    assert.equal(nativeFolderFrom('~/native', '/home/ada'), path.resolve('/home/ada/native'));
    assert.equal(nativeFolderFrom('~', '/home/ada'), path.resolve('/home/ada'));
  });

  it('is none where the setting is empty or no text', () => {
    for (const value of ['', '  ', undefined, null, 7]) assert.equal(nativeFolderFrom(value, '/home/ada'), undefined);
  });
});
