import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CircuitError } from '../../shared/errors';
import type { NativeName } from '../../shared/results';

/** The tfjs-core that the engine is built with. A native backend has to be of the same version: the two share one registry. */
export const TFJS_VERSION = '4.22.0';

export interface NativePackage {
  name: string;
  version: string;
}

/** What each native backend is made of; the first is the one that is loaded. */
export const NATIVE_PACKAGES: Readonly<Record<NativeName, readonly NativePackage[]>> = {
  native: [{ name: '@tensorflow/tfjs-node', version: TFJS_VERSION }],
  'native-gpu': [{ name: '@tensorflow/tfjs-node-gpu', version: TFJS_VERSION }],
  webgpu: [
    { name: 'webgpu', version: '0.6.2' },
    { name: '@tensorflow/tfjs-backend-webgpu', version: TFJS_VERSION },
    { name: '@tensorflow/tfjs-core', version: TFJS_VERSION },
  ],
};

/** Quickest first. */
export const NATIVE_ORDER: readonly NativeName[] = ['native-gpu', 'native', 'webgpu'];

export function isNative(name: string): name is NativeName {
  return Object.hasOwn(NATIVE_PACKAGES, name);
}

export function packageFolder(folder: string, name: string): string {
  return path.join(folder, 'node_modules', ...name.split('/'));
}

/** The packages of a backend that are not in `folder`. */
export function missingPackages(folder: string, backend: NativeName): NativePackage[] {
  return NATIVE_PACKAGES[backend].filter(({ name }) => !existsSync(path.join(packageFolder(folder, name), 'package.json')));
}

/** Changes when a backend's packages are installed anew; undefined where they are not all there. */
export function installationStamp(folder: string, backend: NativeName): string | undefined {
  if (missingPackages(folder, backend).length > 0) return undefined;
  const stamps = NATIVE_PACKAGES[backend].map(({ name }) => statSync(path.join(packageFolder(folder, name), 'package.json')).mtimeMs);
  return [folder, backend, ...stamps].join('|');
}

/** The packages as npm takes them. */
export function packageSpecs(backend: NativeName): string[] {
  return NATIVE_PACKAGES[backend].map(({ name, version }) => `${name}@${version}`);
}

/** Throws `backend`, with what to do, unless `folder` has all packages of a backend, tfjs's own in the engine's version. */
export function checkInstalled(folder: string | undefined, backend: NativeName): asserts folder is string {
  const install = `Install it with the command "Circuit Explorer: Install native backend…", or in a folder of your own with npm install ${packageSpecs(backend).join(' ')} and name that folder in circuitExplorer.nativeFolder (--native-folder on the command line).`;
  if (folder === undefined) throw new CircuitError('backend', `The backend "${backend}" needs a folder that holds its package, and none is named. ${install}`);
  const missing = missingPackages(folder, backend);
  if (missing.length > 0) throw new CircuitError('backend', `The backend "${backend}" is not installed: there is no ${missing.map(({ name }) => name).join(' and no ')} in "${folder}". ${install}`);
  for (const { name, version } of NATIVE_PACKAGES[backend]) {
    const found = installedVersion(folder, name);
    if (name.startsWith('@tensorflow/') && found !== version) throw new CircuitError('backend', `"${folder}" holds ${name} ${found}, and the engine works with ${version} only. ${install}`);
  }
}

function installedVersion(folder: string, name: string): string {
  const file = path.join(packageFolder(folder, name), 'package.json');
  try {
    return String((JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown }).version);
  } catch (cause) {
    throw new CircuitError('backend', `${file} cannot be read. Install the backend again with the command "Circuit Explorer: Install native backend…".`, { cause });
  }
}
