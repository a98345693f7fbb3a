import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS } from '../../src/editor/commandTable';
import { PromptDiagnostics } from '../../src/editor/diagnostics';
import type { ExperimentRunner } from '../../src/runner/runner';
import { activated, closeEditors, eventually, PARK, promptText, SHOPS, workspaceFile } from './extension';

const ours = (uri: vscode.Uri): vscode.Diagnostic[] => vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'Circuit Explorer');
const textOf = (document: vscode.TextDocument, { range }: { range: vscode.Range }): string => document.getText(range);

async function open(name: string, text: string): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument(await workspaceFile(name, text));
  await vscode.window.showTextDocument(document);
  return document;
}

async function type(document: vscode.TextDocument, before: string, after: string): Promise<void> {
  const start = document.getText().indexOf(before);
  assert.notEqual(start, -1, before);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(document.uri, new vscode.Range(document.positionAt(start), document.positionAt(start + before.length)), after);
  assert.ok(await vscode.workspace.applyEdit(edit));
}

describe('a prompt file in the editor', () => {
  before(activated);
  afterEach(closeEditors);

  it('has its own language', async () => {
    assert.equal((await open('language.prompts.json', promptText(SHOPS))).languageId, 'circuit-prompts');
  });

  it('marks the tokens that make the lengths differ, and nothing once they are equal', async () => {
    const document = await open('lengths.prompts.json', promptText({ ...SHOPS, corrupted: SHOPS.corrupted.replace('Mary gave', 'Mary and Tom gave') }));
    const [problem] = await eventually('a diagnostic', () => ours(document.uri).length > 0 && ours(document.uri));
    assert.equal(problem!.code, 'length-differs');
    assert.equal(problem!.severity, vscode.DiagnosticSeverity.Error);
    const marked = textOf(document, problem!);
    assert.ok(marked.includes('and Tom') && marked.length < 40, marked);
    await type(document, ' Mary and Tom gave', ' Mary gave');
    await eventually('no diagnostic', () => ours(document.uri).length === 0);
  });

  it('offers the missing space of an answer, and takes it', async () => {
    const document = await open('space.prompts.json', promptText({ ...SHOPS, correct: 'Mary' }));
    const [problem] = await eventually('a diagnostic', () => {
      const found = ours(document.uri).filter(({ code }) => code === 'leading-space');
      return found.length > 0 && found;
    });
    assert.match(textOf(document, problem!), /^"?Mary"?$/);
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>('vscode.executeCodeActionProvider', document.uri, problem!.range, vscode.CodeActionKind.QuickFix.value);
    const [fix] = actions.filter(({ title }) => title.includes('leading space'));
    assert.ok(fix?.edit, actions.map(({ title }) => title).join());
    assert.ok(await vscode.workspace.applyEdit(fix.edit));
    assert.match(document.getText(), /"correct": " Mary"/);
    await eventually('no diagnostic', () => ours(document.uri).length === 0);
  });

  it('says that a prompt is longer than the model reads', async () => {
    const long = ' gave'.repeat(3000);
    const document = await open('long.prompts.json', promptText({ ...SHOPS, clean: `John${long}`, corrupted: `Mary${long}` }));
    const [problem] = await eventually('a diagnostic', () => ours(document.uri).length > 0 && ours(document.uri));
    assert.equal(problem!.code, 'too-long');
    assert.ok(textOf(document, problem!).includes('gave'));
  });

  it('says at once that two prompts are equal, and forgets a file that is closed', async () => {
    const uri = await workspaceFile('equal.prompts.json', promptText({ ...SHOPS, corrupted: SHOPS.clean }));
    // As a person opens it: a document opened through the API stays for minutes after its editor is closed.
    await vscode.commands.executeCommand('vscode.open', uri);
    await eventually('a diagnostic', () => ours(uri).some(({ code }) => code === 'equal-prompts'));
    await closeEditors();
    await eventually('no diagnostic', () => ours(uri).length === 0);
  });

  it('checks the tokens of a file that was closed and opened again while they were being checked', async () => {
    const uri = await workspaceFile('again.prompts.json', promptText(SHOPS));
    const waiting: (() => void)[] = [];
    const asked: string[] = [];
    const runner = {
      tokenizerInfo: async () => ({ vocabulary: 1 }),
      tokenize: async ({ texts }: { texts: string[] }) => {
        asked.push(texts[0]!);
        if (texts[0] === SHOPS.clean) await new Promise<void>((resolve) => waiting.push(resolve));
        return texts.map((text) => ({ tokens: [{ id: text.length, text }], offsets: [[0, text.length]] }));
      },
    } as unknown as ExperimentRunner;
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined, show: () => undefined, dispose: () => undefined };
    await vscode.commands.executeCommand('vscode.open', uri);
    const diagnostics = new PromptDiagnostics(runner, silent);
    try {
      await eventually('the first check', () => waiting.length > 0);
      await closeEditors();
      await eventually('the file to be closed', () => !vscode.workspace.textDocuments.some((document) => document.uri.toString() === uri.toString()));
      await workspaceFile('again.prompts.json', promptText(PARK));
      await vscode.commands.executeCommand('vscode.open', uri);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      waiting.forEach((resolve) => resolve());
      await eventually('the second check', () => asked.includes(PARK.clean));
    } finally {
      diagnostics.dispose();
    }
  });

  it('says once that a field is unknown, by the schema', async () => {
    const document = await open('unknown.prompts.json', promptText(SHOPS).replace('"pairs"', '"modle": "gpt2",\n  "pairs"'));
    const all = await eventually('a diagnostic', () => {
      const found = vscode.languages.getDiagnostics(document.uri).filter(({ message }) => message.includes('modle'));
      return found.length > 0 && found;
    });
    assert.equal(all.length, 1);
    assert.equal(ours(document.uri).length, 0);
  });

  it('allows comments and trailing commas', async () => {
    const document = await open('comments.prompts.json', `// a comment\n${promptText(SHOPS).replace(/\}\n(\s*)\]/, '},\n$1]')}`);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri).map(({ message }) => message), []);
  });

  it('tells of a model that is not here as an information', async () => {
    const document = await open('model.prompts.json', promptText(SHOPS).replace('"pairs"', '"model": "nobody/nothing",\n  "pairs"'));
    const [problem] = await eventually('a diagnostic', () => ours(document.uri).length > 0 && ours(document.uri));
    assert.equal(problem!.severity, vscode.DiagnosticSeverity.Information);
    assert.match(textOf(document, problem!), /nobody\/nothing/);
  });

  it('has a CodeLens above the file and above each pair', async () => {
    const document = await open('lens.prompts.json', promptText(SHOPS, PARK));
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', document.uri);
    const found = lenses.map(({ range, command }) => `${range.start.line} ${command!.title}`);
    const lineOf = (name: string): number => document.positionAt(document.getText().indexOf(`"${name}"`)).line - 1;
    assert.deepEqual(found, ['0 Attribute all 2 pairs', `${lineOf('shops')} Attribute pair`, `${lineOf('park')} Attribute pair`]);
    assert.equal(lenses[0]!.command!.command, COMMANDS.attributeFile);
    const single = await open('single.prompts.json', promptText(SHOPS));
    const ofSingle = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', single.uri);
    assert.deepEqual(ofSingle.map(({ command }) => command!.title), ['Attribute the pair'], 'one lens for one pair');
  });

  it('has no CodeLens when the setting is off', async () => {
    const settings = vscode.workspace.getConfiguration('circuitExplorer');
    await settings.update('codeLens', false, vscode.ConfigurationTarget.Workspace);
    try {
      const document = await open('nolens.prompts.json', promptText(SHOPS));
      assert.deepEqual(await vscode.commands.executeCommand('vscode.executeCodeLensProvider', document.uri), []);
    } finally {
      await settings.update('codeLens', undefined, vscode.ConfigurationTarget.Workspace);
    }
  });

  it('shows over a pair its tokens, clean over corrupted, the differing ones marked', async () => {
    const document = await open('hover.prompts.json', promptText(SHOPS, PARK));
    const at = document.positionAt(document.getText().indexOf(SHOPS.clean) + 3);
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', document.uri, at);
    const text = hovers.flatMap(({ contents }) => contents.map((content) => (content as vscode.MarkdownString).value)).join('\n');
    const lines = text.split('\n');
    const marks = lines.findIndex((line) => line.includes('‾'));
    assert.notEqual(marks, -1, text);
    const marked = [...lines[marks]!].flatMap((character, column) => (character === '‾' ? [column] : []));
    const under = (line: string): string => marked.map((column) => [...line][column]).join('');
    assert.equal(under(lines[marks - 2]!), '·John');
    assert.equal(under(lines[marks - 1]!), '·Mary');
    assert.match(text, /tokens clean/);
  });
});
