import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isAlive } from '../isAlive';

/** What the tests fetch from npm beside the project's own dependencies; ignored by git, safe to delete. */
export const CACHE = path.resolve('.vscode-test');

/**
 * The folder `.vscode-test/NAME`, made by `make` if it is not there yet. It is made under a temporary name and then renamed,
 * so that what has the final name is complete, also after a set-up that was interrupted or ran twice at once.
 */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = path.join(CACHE, name);
  if (existsSync(folder)) return folder;
  await removeAbandoned();
  const partial = path.join(CACHE, `${name}.partial-${process.pid}`);
  await mkdir(partial, { recursive: true });
  try {
    await make(partial);
    await rename(partial, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // otherwise another process was quicker
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

/** Installs exact versions of packages from npm into `folder`. Their install scripts do not run. */
export async function npmInstall(folder: string, dependencies: Record<string, string>): Promise<void> {
  console.log(`fetching ${Object.entries(dependencies).map(([name, version]) => `${name}@${version}`).join(', ')} from npm`);
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  await npm(folder, ['install']);
}

export function npm(folder: string, args: string[]): Promise<void> {
  // npm itself tells its scripts where it is; outside of npm it is taken from PATH.
  const own = process.env['npm_execpath'];
  const [command, first] = own?.endsWith('.js') ? [process.execPath, [own]] : ['npm', []];
  return run(command, [...first, ...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], folder);
}

/** Runs a program; its output is shown only when it fails. */
export function run(command: string, args: readonly string[], folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')} ended with code ${code}:\n${output}`))));
  });
}

async function removeAbandoned(): Promise<void> {
  if (!existsSync(CACHE)) return;
  for (const name of await readdir(CACHE)) {
    const pid = /\.partial-(\d+)$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) await rm(path.join(CACHE, name), { recursive: true, force: true });
  }
}
