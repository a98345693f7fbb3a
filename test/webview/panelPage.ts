import { build } from 'esbuild';
import { readFile, mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchChromium } from '../e2e/chromium';
import type { SampleName } from './sampleRuns';
import type { ThemeName } from './themes';

/** The built panel in a real browser, under the Content Security Policy that the extension gives it. */

const NONCE = 'dGVzdHMgb25seQ';

interface Stage {
  browser: Browser;
  server: Server;
  origin: string;
  fakeHost: string;
}

let stage: Stage | undefined;

/** Call in `before`: starts the browser, and the server of the bundle in dist/. */
export async function openStage(): Promise<void> {
  const { outputFiles } = await build({
    stdin: { contents: `import './test/webview/fakeHost';`, resolveDir: '.', loader: 'ts' },
    ...{ bundle: true, write: false, format: 'iife', platform: 'browser', target: 'es2022', logLevel: 'warning' },
  });
  const server = createServer((request, response) => void serve(request.url ?? '/').then(({ type, body }) => response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body)));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  stage = { browser: await launchChromium(), server, origin, fakeHost: outputFiles[0]!.text };
}

export async function closeStage(): Promise<void> {
  await stage?.browser.close();
  stage?.server.close();
  stage = undefined;
}

async function serve(url: string): Promise<{ type: string; body?: string }> {
  const { pathname } = new URL(url, 'http://localhost');
  if (pathname === '/panel.js') return { type: 'text/javascript', body: await readFile('dist/webview/panel.js', 'utf8') };
  if (pathname === '/panel.css') return { type: 'text/css', body: await readFile('dist/webview/panel.css', 'utf8') };
  if (pathname !== '/') return { type: 'text/plain' };
  return { type: 'text/html', body: html() };
}

function html(): string {
  const policy = [`default-src 'none'`, `img-src 'self' data:`, `font-src 'self'`, `style-src 'self'`, `script-src 'nonce-${NONCE}'`, `base-uri 'none'`, `form-action 'none'`].join('; ');
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<link rel="stylesheet" href="/panel.css"><title>Circuit Explorer</title></head>
<body><main id="app"></main><script nonce="${NONCE}" src="/panel.js"></script></body></html>`;
}

export interface OpenOptions {
  run?: SampleName;
  theme?: ThemeName;
  width?: number;
  height?: number;
  reducedMotion?: boolean;
  /** Method whose answers wait from the start. */
  hold?: string;
}

export interface OpenPanel {
  page: Page;
  context: BrowserContext;
  /** Errors of the script and refusals of the policy, all of them. */
  problems(): Promise<string[]>;
}

/** A fresh page with the panel in it, after its first drawing. */
export async function openPanel({ run, theme = 'dark', width = 1280, height = 900, reducedMotion = true, hold }: OpenOptions): Promise<OpenPanel> {
  const { browser, origin, fakeHost } = stage!;
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: reducedMotion ? 'reduce' : 'no-preference' });
  await context.addInitScript({ content: fakeHost });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  await page.goto(`${origin}/?${new URLSearchParams({ ...(run && { run }), ...(hold && { hold }), theme })}`);
  await page.waitForSelector(run === undefined ? '.message' : run === 'gradientless' ? '.lens-line .mark' : '.map.tall .cell');
  return { page, context, problems: async () => [...errors, ...(await page.evaluate(() => window.fakeHost.violations))] };
}

/** For people to look at; of what is in sight, because taking the whole page scrolls it and hides tooltips. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir('out/screenshots', { recursive: true });
  await page.screenshot({ path: `out/screenshots/panel-${name}.png` });
}
