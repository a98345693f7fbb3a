import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { NATIVE_PACKAGES, packageFolder, packageSpecs } from '../engine/client/nativePackages';
import { cancelled, CircuitError } from '../shared/errors';
import type { NativeName } from '../shared/results';

export interface CommandLine {
  command: string;
  args: readonly string[];
  /** npm is a batch file on Windows, which only a shell starts. No argument needs quoting. */
  shell: boolean;
}

/** What installs a native backend, to be run in its folder: the person's npm, pinned versions, install scripts where the package needs its own. */
export function npmInstallCommand(backend: NativeName, platform: NodeJS.Platform = process.platform): CommandLine {
  // tfjs-node is empty without its script, which fetches TensorFlow.
  const scripts = backend === 'webgpu' ? [] : ['--ignore-scripts=false', '--foreground-scripts'];
  return {
    command: platform === 'win32' ? 'npm.cmd' : 'npm',
    args: ['install', '--save-exact', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=http', ...scripts, ...packageSpecs(backend)],
    shell: platform === 'win32',
  };
}

/** The folder's package.json, which newer npm asks whose install scripts may run; what stands in it already stays. */
export function folderManifest(before: Record<string, unknown>): Record<string, unknown> {
  const allowed = Object.values(NATIVE_PACKAGES).map(([{ name } = { name: '' }]) => name);
  return { private: true, description: "Native backends of Circuit Explorer, put here by its command.", ...before, allowScripts: { ...(before['allowScripts'] as object | undefined), ...Object.fromEntries(allowed.map((name) => [name, true])) } };
}

export interface InstallOptions {
  folder: string;
  backend: NativeName;
  signal: AbortSignal;
  /** Each line that npm writes. */
  onLine(line: string): void;
  commandLine?: CommandLine;
}

const LAST_LINES = 40;

/**
 * Installs a backend's packages into `folder`. Throws `cancelled`, or `backend` when there is no npm or npm fails, with its last lines as
 * the cause; then what it left of the package is taken away, so that nobody takes it for installed.
 */
export async function installPackages({ folder, backend, signal, onLine, commandLine = npmInstallCommand(backend) }: InstallOptions): Promise<void> {
  await prepare(folder);
  const lines: string[] = [];
  try {
    const code = await run(commandLine, folder, signal, (line) => {
      onLine(line);
      lines.push(line);
      if (lines.length > LAST_LINES) lines.shift();
    });
    if (signal.aborted) throw cancelled();
    if (code !== 0) {
      throw new CircuitError('backend', `npm could not install the backend "${backend}": ${reasonOf(lines)}. The log has its last lines.`, { cause: lines.join('\n') });
    }
  } catch (error) {
    await rm(packageFolder(folder, NATIVE_PACKAGES[backend][0]!.name), { recursive: true, force: true });
    throw error;
  }
}

/** The line that tells most about why npm failed: an install script's own error, else npm's own words, else what was written last. */
export function reasonOf(lines: readonly string[]): string {
  const thrown = lines.find((line) => /^(npm (error|ERR!) )?\w*Error: \S/.test(line));
  const ofNpm = lines.find((line) => /^npm (error|ERR!) /i.test(line) && !/^npm (error|ERR!) (code|errno|syscall|path|command|a complete log)\b/i.test(line));
  return (thrown ?? ofNpm ?? lines.at(-1) ?? 'it wrote nothing').replace(/^npm (error|ERR!)\s*/i, '').replace(/\.$/, '');
}

async function prepare(folder: string): Promise<void> {
  const file = path.join(folder, 'package.json');
  try {
    await mkdir(folder, { recursive: true });
    const before = await readFile(file, 'utf8').catch(() => '{}');
    await writeFile(file, `${JSON.stringify(folderManifest(JSON.parse(before) as Record<string, unknown>), undefined, 2)}\n`);
  } catch (cause) {
    throw new CircuitError('storage', `The native backend cannot be installed into "${folder}": ${cause instanceof Error ? cause.message : String(cause)}. Name another folder in circuitExplorer.nativeFolder.`, { cause });
  }
}

/** Resolves to the exit code, when the program and all that it started have ended. */
function run({ command, args, shell }: CommandLine, cwd: string, signal: AbortSignal, onLine: (line: string) => void): Promise<number | null> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled());
    const posix = process.platform !== 'win32';
    // A group of its own, so that the scripts that npm has started end with it.
    const child = spawn(command, args, { cwd, shell, detached: posix, windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (): void => endTree(child, posix);
    signal.addEventListener('abort', stop, { once: true });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        // A progress bar rewrites its line.
        const lines = (rest + text).split(/[\r\n]+/);
        rest = lines.pop()!;
        for (const line of lines) if (line.trim() !== '') onLine(line.trim());
      });
    }
    child.on('error', (cause: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', stop);
      const message = cause.code === 'ENOENT' ? 'npm was not found, and native backends are installed with it. Install Node.js (https://nodejs.org), start VS Code anew so that it finds npm on its PATH, and run the command again.' : `npm could not be started: ${cause.message}.`;
      reject(new CircuitError('backend', message, { cause }));
    });
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      resolve(code);
    });
  });
}

function endTree({ pid }: ChildProcess, posix: boolean): void {
  if (pid === undefined) return;
  if (posix) {
    try {
      process.kill(-pid, 'SIGTERM');
    } catch {
      // It has ended by itself.
    }
  } else spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { windowsHide: true });
}
