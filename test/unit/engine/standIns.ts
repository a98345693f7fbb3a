import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { NATIVE_PACKAGES, packageFolder, TFJS_VERSION } from '../../../src/engine/client/nativePackages';
import type { NativeName } from '../../../src/shared/results';

/** Registers tfjs's cpu kernels under tfjs-node's name, in a tfjs-core of its own as the real package brings one. `repository`: where those kernels are installed. */
export const workingStandIn = (repository: string): string => `
  const repository = ${JSON.stringify(repository)};
  const { createRequire } = require('node:module');
  const own = createRequire(repository + '/package.json');
  const tf = own('@tensorflow/tfjs-core');
  const { MathBackendCPU } = own('@tensorflow/tfjs-backend-cpu');
  // As tfjs-node 4.22.0 does, also where Node has it no more.
  if (!require('node:util').isNullOrUndefined(undefined)) throw new Error('util');
  tf.copyRegisteredKernels('cpu', 'tensorflow');
  const backend = new MathBackendCPU();
  backend.isUsingGpuDevice = false;
  tf.registerBackend('tensorflow', () => backend);
  tf.setBackend('tensorflow');
`;

export const WORKING = workingStandIn(process.cwd());

/** Installs stand-ins of a native backend's packages; `main` is the program of the first. */
export async function installStandIn(folder: string, backend: NativeName, main: string, version = TFJS_VERSION): Promise<void> {
  for (const [index, { name }] of NATIVE_PACKAGES[backend].entries()) {
    const own = packageFolder(folder, name);
    await mkdir(own, { recursive: true });
    await writeFile(path.join(own, 'package.json'), JSON.stringify({ name, version, main: 'index.js' }));
    await writeFile(path.join(own, 'index.js'), index === 0 ? main : '');
  }
}
