import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CACHE, cached, npm, npmInstall, run } from './cache';
import { NODE_24, packagedNode } from './packagedNode';

/**
 * The plain VS Code server out of the npm package code-server: a real workbench and extension host where no desktop VS Code
 * can be downloaded. Linux only. It needs Node ≥ 24, which comes from npm too.
 */
const CODE_SERVER = '4.139.1';
const FOLDER = `vscode-server-${CODE_SERVER}-1`; // the last number changes when the set-up below does

/** Dependencies of the server that serve AI agents, containers, SSH and the like: 240 MB that nothing here loads. */
const UNUSED = [
  '@devcontainers/cli',
  '@github/copilot',
  '@github/copilot-sdk',
  '@microsoft/mxc-sdk',
  '@vscode/copilot-api',
  '@vscode/deviceid',
  '@vscode/fs-copyfile',
  '@vscode/sandbox-runtime',
  '@vscode/sqlite3',
  '@vscode/windows-registry',
  'kerberos',
  'ssh2',
];

/** The built-in extensions that stay: languages of our files, the JSON server that validates them, themes, log colours. */
const BUILT_IN = [
  'configuration-editing',
  'json',
  'json-language-features',
  'log',
  'markdown-basics',
  'python',
  'theme-defaults',
  'theme-modern-icons',
  'theme-seti',
];

/** Stands in for @vscode/spdlog, which is native and not built: appends to the same files. `exports.x =` lets the ESM importer see the names. */
const LOGGER = `'use strict';
const fs = require('node:fs');
const path = require('node:path');
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
let initialLevel = 2;
class Logger {
  constructor(name, file) {
    this.file = file;
    this.level = initialLevel;
    this.raw = false;
    if (file) fs.mkdirSync(path.dirname(file), { recursive: true });
  }
  getLevel() { return this.level; }
  setLevel(level) { this.level = level; }
  clearFormatters() { this.raw = true; }
  setPattern() {}
  flush() {}
  drop() {}
  write(level, message) {
    if (level < this.level || !this.file) return;
    try {
      fs.appendFileSync(this.file, this.raw ? message : new Date().toISOString() + ' [' + LEVELS[level] + '] ' + message + '\\n');
    } catch {
      // The folder of a server that is being stopped may be gone already.
    }
  }
}
LEVELS.forEach((name, level) => { Logger.prototype[name] = function (message) { this.write(level, message); }; });
const create = async (name, file) => new Logger(name, file);
exports.version = 10000;
exports.setLevel = (level) => { initialLevel = level; };
exports.setFlushOn = () => {};
exports.shutdown = () => {};
exports.Logger = Logger;
exports.createRotatingLogger = create;
exports.createAsyncRotatingLogger = create;
`;

/** Stands in for native-watchdog: an extension host whose parent is gone ends. */
const WATCHDOG = `exports.start = (parent) => {
  setInterval(() => { try { process.kill(parent, 0); } catch { process.exit(87); } }, 3000).unref();
};
`;

export interface ServerFiles {
  node: string;
  /** Folder that holds out/server-main.js. */
  server: string;
  builtIn: string;
}

/** True when `serverFiles` would answer without fetching anything. */
export function serverIsSetUp(): boolean {
  return existsSync(path.join(CACHE, FOLDER)) && existsSync(path.join(CACHE, `node-${NODE_24}`));
}

/** Sets the server up in `.vscode-test/` the first time (some 570 MB from npm, about a minute). */
export async function serverFiles(): Promise<ServerFiles> {
  if (process.platform !== 'linux') throw new Error('The VS Code server from npm runs on Linux only.');
  const node = await packagedNode(NODE_24);
  const folder = await cached(FOLDER, async (partial) => {
    await npmInstall(partial, { 'code-server': CODE_SERVER });
    const server = serverFolder(partial);
    const manifest = path.join(server, 'package.json');
    const { dependencies, ...rest } = JSON.parse(await readFile(manifest, 'utf8')) as { dependencies: Record<string, string> };
    for (const name of UNUSED) delete dependencies[name];
    await writeFile(manifest, JSON.stringify({ ...rest, dependencies }, null, 2));
    console.log("fetching the server's own dependencies from npm");
    await npm(server, ['install', '--omit=dev']); // not `npm ci`: the shipped lock file is out of step
    await writeFile(path.join(server, 'node_modules', '@vscode', 'spdlog', 'index.js'), LOGGER);
    for (const name of ['@vscode/native-watchdog', 'native-watchdog']) {
      const module = path.join(server, 'node_modules', name);
      if (existsSync(module)) await writeFile(path.join(module, 'index.js'), WATCHDOG);
    }
    for (const name of BUILT_IN) await cp(path.join(server, 'extensions', name), path.join(partial, 'built-in', name), { recursive: true });
  });
  return { node, server: serverFolder(folder), builtIn: path.join(folder, 'built-in') };
}

function serverFolder(folder: string): string {
  return path.join(folder, 'node_modules', 'code-server', 'lib', 'vscode');
}

/** Quiet, offline, without welcome pages: what a test wants; a person's `npm run web` too. */
const SETTINGS: Record<string, unknown> = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.enableExperiments': false,
  'workbench.settings.enableNaturalLanguageSearch': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.colorTheme': 'Default Dark Modern',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'editor.accessibilitySupport': 'off',
  'files.simpleDialog.enable': true,
  'json.schemaDownload.enable': false,
  'remote.autoForwardPorts': false,
};

export interface StartOptions {
  /** Extensions to install. */
  vsix?: readonly string[];
  settings?: Record<string, unknown>;
  /** A script that the server and its extension hosts load first. */
  preload?: string;
  /** Lets the address name an extension under test and its suite (ignored in silence otherwise); shows no notifications. */
  testDriver?: boolean;
}

/** One running server with data folders of its own. */
export class VsCodeServer {
  private constructor(
    private readonly files: ServerFiles,
    /** Holds all of the server's data; removed by `stop`. */
    readonly folder: string,
    private process: ChildProcess | undefined,
    readonly port: number,
  ) {}

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts a server on a free port of this machine with the given VSIX files installed. */
  static async start({ vsix = [], settings = {}, preload, testDriver = false }: StartOptions = {}): Promise<VsCodeServer> {
    const files = await serverFiles();
    const folder = await mkdtemp(path.join(tmpdir(), 'circuit-explorer-vscode-'));
    for (const kind of ['User', 'Machine']) {
      await mkdir(path.join(folder, 'data', kind), { recursive: true });
      await writeFile(path.join(folder, 'data', kind, 'settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
    }
    const entry = path.join(files.server, 'out', 'server-main.js');
    for (const file of vsix) await run(files.node, [entry, ...folderFlags(folder, files), '--install-extension', file], folder);
    const args = ['--host', '127.0.0.1', '--port', '0', '--without-connection-token', ...(testDriver ? ['--enable-smoke-test-driver'] : []), ...folderFlags(folder, files)];
    const child = spawn(files.node, [entry, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, EXTENSIONS_GALLERY: '{}', ...(preload ? { NODE_OPTIONS: `--require ${preload}`, CONNECTIONS_LOG: path.join(folder, 'connections.log') } : {}) },
      detached: true, // a group of its own, so that `stop` reaches the extension hosts too
    });
    const log = createWriteStream(path.join(folder, 'server.log'));
    child.stderr.pipe(log);
    const port = await portOf(child, log);
    return new VsCodeServer(files, folder, child, port);
  }

  /** The machine's settings (scope machine), as a person would edit them; running workbenches follow. */
  async writeMachineSettings(settings: Record<string, unknown>): Promise<void> {
    await writeFile(path.join(this.folder, 'data', 'Machine', 'settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
  }

  /** What `recordConnections.cjs`, when preloaded, wrote down: processes, and hosts they opened sockets to. */
  async connections(): Promise<{ kind: 'process' | 'host'; value: string }[]> {
    const lines = (await readFile(path.join(this.folder, 'connections.log'), 'utf8')).split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as { kind: 'process' | 'host'; value: string });
  }

  /** Folders of the installed extensions, built-in ones excluded. */
  async installedExtensions(): Promise<string[]> {
    const folder = path.join(this.folder, 'extensions');
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(folder, entry.name));
  }

  /** Node binary the extension host runs on. */
  get node(): string {
    return this.files.node;
  }

  /** Ends the server and all it started, and removes its data. */
  async stop(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (child?.pid !== undefined && child.exitCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      signalGroup(child.pid, 'SIGTERM');
      const late = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), 4000);
      await gone;
      clearTimeout(late);
      signalGroup(child.pid, 'SIGKILL'); // an extension host that outlived the server
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function folderFlags(folder: string, { builtIn }: ServerFiles): string[] {
  return [
    ...['--server-data-dir', folder, '--user-data-dir', path.join(folder, 'data'), '--extensions-dir', path.join(folder, 'extensions')],
    ...['--builtin-extensions-dir', builtIn, '--telemetry-level', 'off', '--accept-server-license-terms'],
  ];
}

function portOf(child: ChildProcess, log: NodeJS.WritableStream): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error(`The VS Code server did not start within 60 s:\n${output}`)), 60_000);
    child.stdout!.on('data', (chunk: Buffer) => {
      log.write(chunk);
      if (output.length < 100_000) output += chunk.toString();
      const port = /Extension host agent listening on (\d+)/.exec(output)?.[1];
      if (!port) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The VS Code server ended with code ${code}:\n${output}`)));
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
