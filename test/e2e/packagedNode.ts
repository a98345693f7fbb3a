import path from 'node:path';
import { cached, npmInstall } from './cache';

/** Node versions the extension meets: the oldest line still maintained beside ours, and the one current VS Code carries. */
export const NODE_22 = '22.23.3';
export const NODE_24 = '24.21.0';

/** Path of a plain Node binary from npm (Linux only). */
export async function packagedNode(version: string): Promise<string> {
  const name = `node-linux-${process.arch}`;
  const folder = await cached(`node-${version}`, (partial) => npmInstall(partial, { [name]: version }));
  return path.join(folder, 'node_modules', name, 'bin', 'node');
}
