import * as vscode from 'vscode';
import type { ExperimentRunner } from '../runner/runner';

/** Asks for a clean and a corrupted prompt. Undefined when the person leaves. */
export async function askForPair(model: string, runner: ExperimentRunner): Promise<{ clean: string; corrupted: string } | undefined> {
  const clean = await vscode.window.showInputBox({
    title: 'Attribute prompt pair (1 of 2): clean prompt',
    prompt: 'The prompt on which the model shows the behaviour, up to where the answer follows.',
    placeHolder: 'When John and Mary went to the shops, John gave the bag to',
    ignoreFocusOut: true,
    validateInput: (value) => (value.trim() === '' ? 'Write a prompt.' : undefined),
  });
  if (clean === undefined) return undefined;
  const corrupted = await vscode.window.showInputBox({
    title: 'Attribute prompt pair (2 of 2): corrupted prompt',
    prompt: 'The same prompt with one detail changed; as many tokens as the clean one.',
    value: clean,
    ignoreFocusOut: true,
    validateInput: (value) => validateCorrupted(clean, value, model, runner),
  });
  return corrupted === undefined ? undefined : { clean: clean.trimEnd(), corrupted: corrupted.trimEnd() };
}

/** Says why the two prompts are no pair yet. A model that is missing is the run's business, not the input box's. */
async function validateCorrupted(clean: string, corrupted: string, model: string, runner: ExperimentRunner): Promise<string | undefined> {
  const texts = [clean.trimEnd(), corrupted.trimEnd()];
  if (texts[1] === '') return 'Write a prompt.';
  if (texts[0] === texts[1]) return 'Change one detail: the two prompts are equal.';
  try {
    const [before, after] = (await runner.tokenize({ texts, model })).map(({ tokens }) => tokens.length);
    return before === after ? undefined : `The clean prompt has ${before} tokens, this one ${after}: they should have the same number.`;
  } catch {
    return undefined;
  }
}
