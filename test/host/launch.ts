import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { launchChromium } from '../e2e/chromium';
import { VsCodeServer } from '../e2e/vscodeServer';

interface HostRun {
  /** The bundled test files: a script that calls Mocha's describe and it. */
  bundle: string;
  /** Where the counts go, as JSON {passed, failed, failures}. */
  counts: string;
  /** Mocha's command line, for instance --grep NAME. */
  mochaOptions: readonly string[];
  /** Of a test. */
  hangsAfterMs: number;
}

/** A suite that says nothing for so much longer than a test may take hangs. */
const LONGER_MS = 60_000;

/** Runs a bundled Mocha suite inside the extension host of a real VS Code, its output shown here. Resolves to the exit code. */
export async function launch({ bundle, counts, mochaOptions, hangsAfterMs }: HostRun): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'circuit-explorer-host-'));
  const workspace = path.join(folder, 'workspace');
  const output = path.join(folder, 'output.txt');
  const entry = path.join(path.dirname(bundle), 'hostEntry.js');
  try {
    await cp(path.resolve('test/host/workspace'), workspace, { recursive: true });
    await writeFile(output, '');
    await writeFile(entry, entryScript({ bundle, counts, output, mochaOptions, hangsAfterMs }));
    const follower = follow(output);
    try {
      // The server from npm needs no download of VS Code, but there is one for Linux only.
      return process.platform === 'linux' ? await inServer(entry, workspace, counts, follower, hangsAfterMs + LONGER_MS) : await inDesktop(entry, workspace);
    } finally {
      await follower.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The module VS Code loads in its extension host: exports run(), the contract of extensionTestsPath. */
function entryScript({ bundle, counts, output, mochaOptions, hangsAfterMs }: HostRun & { output: string }): string {
  return `const { appendFileSync } = require('node:fs');
const { format } = require('node:util');
const Mocha = require('mocha');
const { loadOptions } = require('mocha/lib/cli/options');
Mocha.reporters.Base.consoleLog = (...args) => appendFileSync(${JSON.stringify(output)}, format(...args) + '\\n');
process.env.TEST_COUNTS = ${JSON.stringify(counts)};
exports.run = () => new Promise((resolve, reject) => {
  const options = loadOptions(${JSON.stringify(['--no-config', '--no-package', '--timeout', String(hangsAfterMs), ...mochaOptions])});
  const mocha = new Mocha({ ...options, color: false, reporter: require(${JSON.stringify(path.resolve('test/reporter.cjs'))}) });
  mocha.addFile(${JSON.stringify(bundle)});
  mocha.run((failures) => (failures === 0 ? resolve() : reject(new Error(failures + ' failed'))));
});
`;
}

async function inServer(entry: string, workspace: string, counts: string, follower: Follower, silenceMs: number): Promise<number> {
  const server = await VsCodeServer.start({ testDriver: true });
  try {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const exit = new Promise<number>((resolve) => void page.exposeFunction('codeAutomationExit', resolve));
      const complaints: string[] = [];
      await page.exposeFunction('codeAutomationLog', (type: string, args: unknown[]) => {
        if (type === 'error') complaints.push(args.join(' '));
      });
      const remote = (file: string): string => `vscode-remote://127.0.0.1:${server.port}${file}`;
      const payload = [
        ['extensionDevelopmentPath', remote(process.cwd())],
        ['extensionTestsPath', remote(entry)],
        ['skipWelcome', 'true'],
      ];
      await page.goto(`${server.origin}/?folder=${encodeURIComponent(workspace)}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
      const code = await Promise.race([exit, follower.silence(silenceMs).then(() => undefined)]);
      if (code === undefined) console.error(`Nothing was heard of the extension host for ${silenceMs / 1000} s.`);
      if (!existsSync(counts)) console.error(complaints.slice(-20).join('\n'));
      return code ?? 1;
    } finally {
      await browser.close();
    }
  } finally {
    await server.stop();
  }
}

/** Downloads desktop VS Code the first time. */
async function inDesktop(entry: string, workspace: string): Promise<number> {
  const { runTests } = await import('@vscode/test-electron');
  const launchArgs = [workspace, '--disable-workspace-trust', '--disable-telemetry', '--skip-welcome'];
  return runTests({ extensionDevelopmentPath: process.cwd(), extensionTestsPath: entry, launchArgs });
}

interface Follower {
  /** Resolves when the file has not grown for this long. */
  silence(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** Copies what is appended to a file to standard output. */
function follow(file: string): Follower {
  let shown = 0;
  let last = Date.now();
  const show = async (): Promise<void> => {
    const text = existsSync(file) ? await readFile(file, 'utf8') : '';
    if (text.length === shown) return;
    process.stdout.write(text.slice(shown));
    shown = text.length;
    last = Date.now();
  };
  const timer = setInterval(() => void show(), 200);
  let watchdog: NodeJS.Timeout | undefined;
  return {
    silence: (milliseconds) =>
      new Promise((resolve) => {
        watchdog = setInterval(() => Date.now() - last > milliseconds && resolve(), 1000);
      }),
    stop: async () => {
      clearInterval(timer);
      clearInterval(watchdog);
      await show();
    },
  };
}
