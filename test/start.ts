import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

const SAMPLES = path.resolve('media', 'samples');

/** `npm start`: builds, attributes the sample in the terminal, then opens VS Code on the samples with this extension. */
export async function main(): Promise<number> {
  for (const args of [['esbuild.mjs'], ['dist/cli.js', 'attribute', path.join('media', 'samples', 'ioi.prompts.json')]]) {
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
  }
  const code = hasScreen() ? findVsCode() : undefined;
  if (!code) {
    console.log(`\n${hasScreen() ? 'No VS Code was found on this machine.' : 'There is no screen to open VS Code on.'} To see the heatmaps in the real VS Code in a browser: npm run web`);
    return 0;
  }
  console.log(`\nOpening ${SAMPLES} in VS Code (${code}).`);
  const args = ['--new-window', `--extensionDevelopmentPath=${process.cwd()}`, SAMPLES, path.join(SAMPLES, 'ioi.prompts.json')];
  // The launcher of Windows is a batch file, which only a shell starts.
  const child = code.endsWith('.cmd')
    ? spawn(`"${code}"`, args.map((arg) => `"${arg}"`), { shell: true, detached: true, stdio: 'ignore' })
    : spawn(code, args, { detached: true, stdio: 'ignore' });
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`VS Code did not start: ${error.message}`);
      resolve(1);
    });
    child.once('spawn', () => {
      child.unref(); // VS Code stays when the terminal goes
      resolve(0);
    });
  });
}

function hasScreen(): boolean {
  if (process.env['CI'] || process.env['SSH_CONNECTION']) return false;
  return process.platform !== 'linux' || Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']);
}

/** The launcher of an installed VS Code: on PATH, else in the usual places. */
function findVsCode(): string | undefined {
  const names = process.platform === 'win32' ? ['code.cmd', 'code-insiders.cmd'] : ['code', 'code-insiders', 'codium'];
  const onPath = (process.env['PATH'] ?? '').split(path.delimiter).flatMap((folder) => names.map((name) => path.join(folder, name)));
  return [...onPath, ...usualPlaces()].find((file) => existsSync(file));
}

function usualPlaces(): string[] {
  if (process.platform === 'darwin') {
    return ['/Applications', path.join(homedir(), 'Applications')].flatMap((folder) =>
      ['Visual Studio Code', 'Visual Studio Code - Insiders'].map((app) => path.join(folder, `${app}.app`, 'Contents', 'Resources', 'app', 'bin', 'code')),
    );
  }
  if (process.platform === 'win32') {
    const programs = [path.join(process.env['LOCALAPPDATA'] ?? '', 'Programs'), process.env['PROGRAMFILES'] ?? ''];
    return programs.map((folder) => path.join(folder, 'Microsoft VS Code', 'bin', 'code.cmd'));
  }
  return ['/usr/share/code/bin/code', '/snap/bin/code', '/opt/visual-studio-code/bin/code'];
}
