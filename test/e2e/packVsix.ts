import { createVSIX } from '@vscode/vsce';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { run } from './cache';

/** Builds the extension and packs it. Returns the path of the VSIX. */
export async function packVsix({ build = true }: { build?: boolean } = {}): Promise<string> {
  if (build) await run(process.execPath, ['esbuild.mjs', '--clean'], process.cwd());
  const file = path.resolve('out', 'circuit-explorer.vsix');
  await mkdir(path.dirname(file), { recursive: true });
  // Everything is bundled, so no dependency is packed; what is packed stands in .vscodeignore.
  // There is no public repository that links of the README could be completed with.
  await createVSIX({ packagePath: file, dependencies: false, allowMissingRepository: true, rewriteRelativeLinks: false });
  return file;
}

export async function main(): Promise<number> {
  const file = await packVsix();
  const { size } = await stat(file);
  console.log(`${path.relative(process.cwd(), file)}: ${(size / 2 ** 20).toFixed(1)} MB`);
  return 0;
}
