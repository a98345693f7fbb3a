import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { COMMANDS } from '../../../src/editor/commandTable';

interface Manifest {
  activationEvents: string[];
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
  contributes: {
    commands: { command: string; title: string; category?: string }[];
    menus: Record<string, { command: string; when?: string }[]>;
    keybindings: { command: string; key: string; when?: string }[];
    configuration: { properties: Record<string, { scope?: string; default?: unknown }> };
    walkthroughs: { steps: { media: { svg: string }; description: string }[] }[];
  };
}

const text = readFileSync('package.json', 'utf8');
const manifest = JSON.parse(text) as Manifest;
const strings = JSON.parse(readFileSync('package.nls.json', 'utf8')) as Record<string, string>;
const { contributes } = manifest;

describe('manifest', () => {
  it('declares every command of the code, and no other', () => {
    const declared = contributes.commands.map(({ command }) => command).sort();
    assert.deepEqual(declared, Object.values(COMMANDS).sort());
  });

  it('gives every command the category', () => {
    for (const { command, category } of contributes.commands) assert.equal(category, 'Circuit Explorer', command);
  });

  it('uses in menus and keybindings only commands it declares', () => {
    const declared = new Set<string>(Object.values(COMMANDS));
    const used = [...Object.values(contributes.menus).flat(), ...contributes.keybindings].map(({ command }) => command);
    assert.deepEqual(used.filter((command) => !declared.has(command)), []);
  });

  it('hides from the palette what needs arguments', () => {
    for (const name of ['openRun', 'deleteRun', 'revealRun'] as const) {
      assert.equal(contributes.menus['commandPalette']!.find(({ command }) => command === COMMANDS[name])?.when, 'false', name);
    }
  });

  it('offers what is about the run in front only where a panel is in front', () => {
    for (const name of ['verifyTopHeads', 'attributeEdges', 'extractCircuit', 'importCircuit', 'exportGraph'] as const) {
      assert.equal(contributes.menus['commandPalette']!.find(({ command }) => command === COMMANDS[name])?.when, "activeWebviewPanelId == 'circuitExplorer.panel'", name);
    }
  });

  it('offers to reveal a run file only where there is a file manager beside it', () => {
    const reveal = contributes.menus['view/item/context']!.find(({ command }) => command === COMMANDS.revealRun);
    assert.match(reveal?.when ?? '', /!isWeb && !remoteName/);
  });

  it('chords its keys and keeps them to prompt files', () => {
    for (const { key, when } of contributes.keybindings) {
      assert.match(key, /^ctrl\+k /);
      assert.match(when ?? '', /editorLangId == circuit-prompts/);
    }
  });

  it('says every text in package.nls.json, and no text that is not used', () => {
    const used = new Set([...text.matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key!));
    assert.deepEqual([...used].sort(), Object.keys(strings).sort());
  });

  it('lets no workspace choose what is opened or started', () => {
    const { properties } = contributes.configuration;
    for (const name of ['circuitExplorer.model', 'circuitExplorer.backend', 'circuitExplorer.threads', 'circuitExplorer.nativeFolder']) {
      assert.equal(properties[name]?.scope, 'machine', name);
      assert.ok(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations.includes(name), name);
    }
  });

  it('activates by itself for nothing but a restored panel', () => {
    assert.deepEqual(manifest.activationEvents, ['onWebviewPanel:circuitExplorer.panel']);
    const panel = readFileSync('src/editor/panel.ts', 'utf8');
    assert.match(panel, /PANEL_VIEW_TYPE = 'circuitExplorer\.panel'/);
  });

  it('links in walkthrough and welcome texts to commands that exist', () => {
    const known = new Set<string>([...Object.values(COMMANDS), 'circuitExplorer.runs.focus']);
    const links = Object.values(strings).flatMap((string) => [...string.matchAll(/\(command:([\w.]+)/g)].map(([, command]) => command!));
    assert.ok(links.length > 4);
    assert.deepEqual(links.filter((command) => !known.has(command)), []);
  });

  it('names only pictures that are there', () => {
    for (const { media } of contributes.walkthroughs.flatMap(({ steps }) => steps)) assert.ok(existsSync(media.svg), media.svg);
  });
});
