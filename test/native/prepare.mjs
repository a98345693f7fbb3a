// Puts a real tfjs-node into out/native, without the download that its install script makes: the addon is compiled from the npm package's
// sources and linked against the C API in the TensorFlow wheel of PyPI. Linux on x64, with npm, g++ and python3 with pip; some 1.1 GB.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

const TFJS = '4.22.0';
const WEBGPU = '0.6.2';
/** The newest whose headers the addon's sources, written for 2.9, still compile with is not known; this one is tried. */
const TENSORFLOW = '2.15.1';
const WHEEL = ['--no-deps', '--only-binary', ':all:', '--implementation', 'cp', '--python-version', '3.11', '--platform', 'manylinux2014_x86_64'];
const WANTED = ['tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2', 'tensorflow/include/tensorflow/c/', 'tensorflow/include/tensorflow/core/platform/', 'tensorflow/include/tensorflow/tsl/', 'tensorflow/include/tsl/', 'tensorflow/include/xla/'];
const UNPACK = `
import sys, zipfile
wheel, folder, *wanted = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(folder, [name for name in archive.namelist() if name.startswith(tuple(wanted))])
`;

function run(command, args, cwd) {
  console.log(`> ${command} ${args.filter((arg) => !arg.includes('\n')).join(' ')}`);
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? `exit code ${status}`}`);
}

/** Returns once `folder` holds a tfjs-node that loads. */
export async function prepare(folder) {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('the wheel that is linked against is for Linux on x64');
  const unpacked = path.join(folder, 'tensorflow');
  const addon = path.join(folder, 'node_modules', '@tensorflow', 'tfjs-node');
  const library = path.join(unpacked, 'tensorflow');
  await mkdir(folder, { recursive: true });

  if (!existsSync(path.join(library, 'libtensorflow_cc.so.2'))) {
    const wheels = path.join(folder, 'wheel');
    run('python3', ['-m', 'pip', 'download', '--quiet', '--dest', wheels, ...WHEEL, `tensorflow-cpu==${TENSORFLOW}`]);
    const [wheel] = (await readdir(wheels)).filter((name) => name.endsWith('.whl'));
    run('python3', ['-c', UNPACK, path.join(wheels, wheel), unpacked, ...WANTED]);
    await rm(wheels, { recursive: true });
  }

  await writeFile(path.join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', `@tensorflow/tfjs-node@${TFJS}`, `webgpu@${WEBGPU}`, `@tensorflow/tfjs-backend-webgpu@${TFJS}`, `@tensorflow/tfjs-core@${TFJS}`, 'node-api-headers'], folder);

  const deps = path.join(addon, 'deps', 'lib');
  await rm(path.join(addon, 'deps'), { recursive: true, force: true });
  await mkdir(deps, { recursive: true });
  for (const [name, target] of [
    ['libtensorflow.so', 'libtensorflow_cc.so.2'],
    ['libtensorflow_cc.so.2', 'libtensorflow_cc.so.2'],
    ['libtensorflow_framework.so', 'libtensorflow_framework.so.2'],
    ['libtensorflow_framework.so.2', 'libtensorflow_framework.so.2'],
  ]) await symlink(path.join(library, target), path.join(deps, name));

  const built = path.join(addon, 'lib', 'napi-v8');
  await mkdir(built, { recursive: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => path.join('binding', name));
  const headers = ['.', '..', path.join(library, 'include'), path.join(folder, 'node_modules', 'node-api-headers', 'include')].map((name) => `-I${name}`);
  run('g++', ['-std=c++17', '-O2', '-w', '-shared', '-fPIC', '-DNAPI_VERSION=8', ...headers, ...sources, `-L${deps}`, '-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/../../deps/lib', '-o', path.join(built, 'tfjs_binding.node')], addon);
}
