import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { BrowserContext, Locator, Page, Request } from 'playwright-core';
import { PanelPage } from './panelPage';
import { session } from './session';

/** For everything one waits for: a machine that runs the tests may be slow, and busy with other things. */
const SLOW = 60_000;

export type Theme = 'Default Dark Modern' | 'Default Light Modern' | 'Default High Contrast' | 'Default High Contrast Light';

/**
 * A webview that is closed while it loads leaves its own files' requests aborted, or refused by the service worker that was to
 * answer them. Had one been sent out, it would have failed for want of a name or a connection, or been answered.
 */
function isUnfinishedWebviewFile(request: Request): boolean {
  const { hostname } = new URL(request.url());
  return /^vscode-(remote|webview|resource).*\.vscode-resource\.vscode-cdn\.net$/.test(hostname) && /ERR_(ABORTED|FAILED)/.test(request.failure()?.errorText ?? '');
}

/** A VS Code window on a folder of its own, as a person meets it: everything goes through the screen, the mouse and the keyboard. */
export class Workbench {
  private readonly messages: string[] = [];

  private constructor(
    readonly folder: string,
    private readonly context: BrowserContext,
    readonly page: Page,
  ) {
    const note = (url: string): void => {
      const { hostname, protocol } = new URL(url);
      if (/^(https?|wss?):$/.test(protocol) && hostname !== '127.0.0.1') session().foreignHosts.add(hostname);
    };
    // What a webview loads has an address at vscode-cdn.net, which VS Code's service worker answers without asking the network.
    context.on('response', (response) => !response.fromServiceWorker() && note(response.url()));
    context.on('requestfailed', (request) => !isUnfinishedWebviewFile(request) && note(request.url()));
    page.on('websocket', (socket) => note(socket.url()));
    page.on('console', (message) => this.messages.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.messages.push(`page error: ${error.message}`));
  }

  /** Opens a window on a fresh folder with these files (name → text). */
  static async open(files: Record<string, string>): Promise<Workbench> {
    const folder = path.join(await mkdtemp(path.join(tmpdir(), 'circuit-explorer-e2e-')), 'prompts');
    await mkdir(folder);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), text);
    }
    const context = await session().browser.newContext({ viewport: { width: 1400, height: 900 } });
    context.setDefaultTimeout(SLOW);
    const workbench = new Workbench(folder, context, await context.newPage());
    await workbench.page.goto(`${session().server.origin}/?folder=${encodeURIComponent(folder)}`);
    await workbench.ready();
    return workbench;
  }

  private async ready(): Promise<void> {
    await this.page.locator('.monaco-workbench').waitFor();
    await this.page.locator('.explorer-folders-view .monaco-list-row').first().waitFor();
  }

  async close(): Promise<void> {
    await this.context.close();
    await rm(path.dirname(this.folder), { recursive: true, force: true });
  }

  /** Reloads the window by its command, which saves the window's state first. */
  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent('load');
    await this.command('Developer: Reload Window');
    await loaded;
    await this.ready();
  }

  /** Runs a command from the palette, by its title. */
  async command(title: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input.input');
    const row = this.quickPickRow(title);
    const end = Date.now() + SLOW;
    // The palette lists the commands that are known when it opens: reopen it until the extension has registered its own.
    for (let timeout = 1500; ; timeout *= 1.5) {
      await this.page.keyboard.press('F1');
      await input.waitFor();
      await input.fill(`>${title}`);
      try {
        await row.waitFor({ timeout });
        break;
      } catch (error) {
        if (Date.now() > end) throw error;
        await this.page.keyboard.press('Escape');
        await input.waitFor({ state: 'hidden' });
      }
    }
    await row.click();
  }

  quickPickRow(text: string | RegExp): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  }

  quickPickTitle(text: string): Locator {
    return this.page.locator('.quick-input-title', { hasText: text });
  }

  /** Types into the input box of this title. */
  async answer(title: string, text: string): Promise<void> {
    await this.quickPickTitle(title).waitFor();
    await this.page.locator('.quick-input-widget input.input').fill(text);
    await this.page.keyboard.press('Enter');
  }

  explorerRow(name: string): Locator {
    return this.page.locator('.explorer-folders-view .monaco-list-row', { hasText: name });
  }

  /** Opens a file of the folder from the explorer and waits for its text. */
  async openFile(name: string): Promise<Locator> {
    await this.explorerRow(name).dblclick();
    const editor = this.page.locator(`.editor-instance[aria-label*="${name}"], .editor-instance:has(.monaco-editor[data-uri$="${encodeURI(name)}"])`).first();
    await editor.locator('.view-line').first().waitFor();
    return editor;
  }

  /** Selects several files in the explorer. */
  async selectFiles(first: string, ...others: string[]): Promise<void> {
    await this.explorerRow(first).click();
    for (const name of others) await this.explorerRow(name).click({ modifiers: ['Control'] });
  }

  /** Chooses an item of the explorer's context menu on a file. */
  async explorerMenu(name: string, item: string): Promise<void> {
    await this.explorerRow(name).click({ button: 'right' });
    const menu = this.page.locator('.context-view .monaco-menu');
    // VS Code ignores a click that comes so soon after the menu has opened that it may belong to the opening.
    await menu.waitFor();
    while (await menu.isVisible()) {
      await menu.locator('.action-item', { hasText: item }).first().click();
      await menu.waitFor({ state: 'hidden', timeout: 2000 }).catch(() => undefined);
    }
  }

  /** Puts the cursor at a line and column (from 1) of the active editor. */
  async goTo(line: number, column: number): Promise<void> {
    await this.page.keyboard.press('Control+G');
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await input.fill(`:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await input.waitFor({ state: 'hidden' });
  }

  /** Rests the mouse on a piece of text until its hover says this. */
  async hoverText(target: Locator, text: string): Promise<Locator> {
    const hover = this.page.locator('.monaco-hover:visible', { hasText: text }).first();
    const end = Date.now() + SLOW;
    // A hover shows what the extensions known at that moment say: come back until ours has started.
    for (let timeout = 3000; ; timeout *= 1.5) {
      await target.hover();
      try {
        await hover.waitFor({ timeout });
        return hover;
      } catch (error) {
        if (Date.now() > end) throw error;
        await this.page.mouse.move(5, 5);
      }
    }
  }

  /** The panel shown last. */
  get panel(): PanelPage {
    return new PanelPage(this.page.frameLocator('iframe.webview.ready >> nth=-1').frameLocator('iframe#active-frame'));
  }

  notification(text: string | RegExp): Locator {
    return this.page.locator('.notification-toast', { hasText: text }).first();
  }

  statusBar(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item', { hasText: text }).first();
  }

  /** An entry of the list of problems, which is opened. */
  problem(text: string | RegExp): Locator {
    return this.page.locator('.markers-panel .monaco-list-row', { hasText: text }).first();
  }

  tab(name: string | RegExp): Locator {
    return this.page.locator('.tabs-container .tab', { hasText: name }).first();
  }

  /** Takes what the dialog that asks where to save suggests. Returns the file, once it is written. */
  async save(extension: string): Promise<string> {
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await this.settles(async () => (await input.inputValue()).endsWith(extension), true);
    const file = await input.inputValue();
    await this.page.keyboard.press('Enter');
    await input.waitFor({ state: 'hidden' });
    await this.settles(() => stat(file).then(({ size }) => size > 0, () => false), true);
    return file;
  }

  /** Chooses a file of the folder in the dialog that asks which to open. */
  async chooseFile(name: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await this.settles(async () => (await input.inputValue()).startsWith(this.folder), true);
    await input.fill(path.join(this.folder, name));
    // The dialog has read the folder when it lists the file; what is accepted before is dropped.
    await this.quickPickRow(name).waitFor();
    await this.page.keyboard.press('Enter');
    await input.waitFor({ state: 'hidden' });
  }

  /** The workspace's settings; the window follows. */
  async settings(values: Record<string, unknown>): Promise<void> {
    await mkdir(path.join(this.folder, '.vscode'), { recursive: true });
    await writeFile(path.join(this.folder, '.vscode', 'settings.json'), JSON.stringify(values, null, 2));
  }

  /** Line (from 1) of the first line of a file that holds `text`. */
  async lineOf(name: string, text: string): Promise<number> {
    const index = (await this.read(name)).split('\n').findIndex((line) => line.includes(text));
    if (index === -1) throw new Error(`${name} has no line with ${text}`);
    return index + 1;
  }

  /** Waits until something read from the screen is as expected. */
  async settles<T>(read: () => Promise<T>, expected: T): Promise<void> {
    const end = Date.now() + SLOW / 2;
    for (;;) {
      try {
        return assert.deepEqual(await read(), expected);
      } catch (error) {
        if (Date.now() > end) throw error;
        await this.page.waitForTimeout(100);
      }
    }
  }

  /** Reads something from the screen until it has stopped changing. */
  async settled<T>(read: () => Promise<T>): Promise<T> {
    let last = await read();
    for (;;) {
      await this.page.waitForTimeout(400);
      const next = await read();
      if (isDeepStrictEqual(last, next)) return next;
      last = next;
    }
  }

  async read(name: string): Promise<string> {
    return readFile(path.join(this.folder, name), 'utf8');
  }

  /** Keeps a picture in out/screenshots/ for a person to look at. */
  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: path.resolve('out', 'screenshots', `${name}.png`) });
  }

  /** For a failed test: what the window said lately. */
  log(): string {
    return this.messages.slice(-40).join('\n');
  }
}
