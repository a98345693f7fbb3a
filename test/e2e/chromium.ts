import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { cached, npmInstall } from './cache';

/** The newest that runs on Node 20. */
const SHIPPED_CHROMIUM = '138.0.2';

const ON_PATH = ['chromium-headless-shell', 'google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'microsoft-edge', 'microsoft-edge-stable'];

/** Starts a headless browser of the Chromium family that talks to this machine only. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = await findChromium();
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      // Chromium refuses to run its sandbox as root, and containers often lack the name spaces it needs.
      ...(process.platform === 'linux' ? ['--no-sandbox', '--disable-dev-shm-usage'] : []),
      ...['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
}

/**
 * Path of a browser: CHROMIUM_PATH, else an installed Chrome, Chromium or Edge, else (CI as root) Debian's headless shell,
 * else (Linux) a build from npm. Throws with what to install.
 */
export async function findChromium(): Promise<string> {
  const named = process.env['CHROMIUM_PATH'];
  if (named) {
    if (!existsSync(named)) throw new Error(`CHROMIUM_PATH names ${named}, which does not exist.`);
    return named;
  }
  const installed = installedChromium();
  if (installed) return installed;
  if (process.platform === 'linux') {
    const fromDebian = installFromDebian();
    if (fromDebian) return fromDebian;
    if (process.arch === 'x64') return shippedChromium();
  }
  throw new Error('These tests need a browser: install Chrome, Chromium or Edge, or set CHROMIUM_PATH to one.');
}

function installedChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  const onPath = process.platform === 'win32' ? [] : ON_PATH.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return [...onPath, ...usualPlaces()].find((file) => existsSync(file));
}

function usualPlaces(): string[] {
  if (process.platform === 'darwin') {
    const apps = ['Google Chrome', 'Chromium', 'Microsoft Edge'];
    return ['/Applications', path.join(homedir(), 'Applications')].flatMap((folder) =>
      apps.map((app) => path.join(folder, `${app}.app`, 'Contents', 'MacOS', app)),
    );
  }
  if (process.platform === 'win32') {
    const programs = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((name) => process.env[name] ?? []);
    const apps = ['Google\\Chrome\\Application\\chrome.exe', 'Chromium\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'];
    return programs.flatMap((folder) => apps.map((app) => path.win32.join(folder, app)));
  }
  return ['/opt/google/chrome/chrome', '/opt/microsoft/msedge/msedge', '/usr/lib/chromium/chromium'];
}

/** In CI, where the machine is thrown away afterwards, and only as root already: never elevates. */
function installFromDebian(): string | undefined {
  if (!process.env['CI'] || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  console.log('fetching chromium-headless-shell from Debian');
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    execFileSync('apt-get', ['update', '-q'], { env: environment, stdio: 'pipe' });
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium-headless-shell', 'fonts-dejavu-core'], { env: environment, stdio: 'pipe' });
  } catch (error) {
    console.log(`apt-get could not install it: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
  return installedChromium();
}

/** A headless shell that an npm package carries compressed. */
async function shippedChromium(): Promise<string> {
  const folder = await cached(`chromium-${SHIPPED_CHROMIUM}`, async (partial) => {
    await npmInstall(partial, { '@sparticuz/chromium': SHIPPED_CHROMIUM });
    const shipped = createRequire(path.join(partial, 'package.json'))('@sparticuz/chromium') as { executablePath(): Promise<string> };
    // It unpacks into the folder for temporary files, which others may write to; ours is safer and stays.
    const temporary = process.env['TMPDIR'];
    process.env['TMPDIR'] = partial;
    try {
      await shipped.executablePath();
    } finally {
      if (temporary === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = temporary;
    }
  });
  return path.join(folder, 'chromium');
}
