import path from 'node:path';
import type { Browser } from 'playwright-core';
import { launchChromium } from './chromium';
import { packVsix } from './packVsix';
import { VsCodeServer } from './vscodeServer';

/** What all e2e tests share: one server with the packed VSIX installed, and one browser. */
export interface Session {
  vsix: string;
  server: VsCodeServer;
  browser: Browser;
  /** Hosts other than this machine that windows asked so far. */
  foreignHosts: Set<string>;
}

let current: Session | undefined;

/** The running session; only inside hooks and tests. */
export function session(): Session {
  if (!current) throw new Error('There is no session outside of the tests.');
  return current;
}

before('pack the VSIX, start VS Code and a browser', async function () {
  this.timeout(600_000); // the first time the server is fetched
  const vsix = await packVsix({ build: false });
  const server = await VsCodeServer.start({ vsix: [vsix], preload: path.resolve('test/e2e/recordConnections.cjs') });
  current = { vsix, server, browser: await launchChromium(), foreignHosts: new Set() };
});

/** A picture of every open window when a test has failed. */
afterEach('picture of a failure', async function () {
  if (this.currentTest?.state !== 'failed') return;
  const pages = current?.browser.contexts().flatMap((context) => context.pages()) ?? [];
  const name = this.currentTest.fullTitle().replace(/\W+/g, '-').slice(0, 100);
  for (const [index, page] of pages.entries()) await page.screenshot({ path: path.resolve('out', 'screenshots', 'failed', `${name}-${index}.png`) });
});

after('stop VS Code and the browser', async () => {
  await current?.browser.close();
  await current?.server.stop();
});
