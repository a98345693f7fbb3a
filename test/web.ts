import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { packVsix } from './e2e/packVsix';
import { VsCodeServer, serverIsSetUp } from './e2e/vscodeServer';

/** `npm run web`: the real VS Code in a browser, with the packed extension and a copy of the samples, until Ctrl-C. */
export async function main(args: readonly string[]): Promise<number> {
  if (process.platform !== 'linux') {
    console.error('The VS Code server from npm runs on Linux only. Install VS Code and use npm start.');
    return 1;
  }
  if (!serverIsSetUp() && !args.includes('--yes') && !process.env['CI'] && !(await agrees())) return 1;
  const vsix = await packVsix();
  // Trust is asked about as on a person's machine.
  const server = await VsCodeServer.start({ vsix: [vsix], settings: { 'security.workspace.trust.enabled': true } });
  const folder = await mkdtemp(path.join(tmpdir(), 'circuit-explorer-samples-'));
  try {
    await cp(path.resolve('media', 'samples'), folder, { recursive: true });
    console.log(`\nVS Code is at ${server.origin}/?folder=${encodeURIComponent(folder)}\nCtrl-C ends it.`);
    await interrupted();
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return 0;
}

async function agrees(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    console.error('The VS Code server is fetched from npm first (570 MB, into .vscode-test/). Agree with: npm run web -- --yes');
    return false;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await prompt.question('The VS Code server is fetched from npm first (570 MB, into .vscode-test/). Go on? [y/N] ');
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
