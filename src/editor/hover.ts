import * as vscode from 'vscode';
import { CircuitError, toFailure } from '../shared/errors';
import type { TextPair } from '../shared/experiment';
import { pairAt, pairName, type PromptFile } from '../prompts/promptFile';
import { tokenizePairs } from '../prompts/tokenizedPair';
import type { ExperimentRunner } from '../runner/runner';
import type { RunStore } from '../runs/store';
import { metricTitle } from '../shared/metrics';
import { otherSide } from '../shared/otherSide';
import { capitalised } from '../shared/text';
import type { Log } from './log';
import { PROMPT_LANGUAGE, promptFileOf, rangeOf } from './promptDocuments';
import { pairIndexIn, type RunIndex } from './runIndex';
import { modelFor } from './tokenCheck';
import { tokenChips } from './tokenChips';
import { signed, topHeads } from './topHeads';

interface Dependencies {
  runner: ExperimentRunner;
  runIndex: RunIndex;
  store: RunStore;
  log: Log;
}

/** Over a pair: its tokens, clean over corrupted, and what its last run found. */
export function registerHover(dependencies: Dependencies): vscode.Disposable {
  return vscode.languages.registerHoverProvider(PROMPT_LANGUAGE, {
    provideHover: async (document, position) => {
      const file = promptFileOf(document);
      const index = pairAt(file, document.offsetAt(position));
      const pair = index === undefined ? undefined : file.pairs[index];
      if (index === undefined || !pair) return undefined;
      const text = new vscode.MarkdownString();
      text.appendMarkdown(`**${escaped(pairName(pair, index))}**\n\n`);
      await appendTokens(text, pair, file, document.uri, dependencies);
      await appendLastRun(text, pair, document.uri, dependencies);
      return new vscode.Hover(text, rangeOf(document, file.places[index]!.pair));
    },
  });
}

async function appendTokens(text: vscode.MarkdownString, pair: TextPair, file: PromptFile, uri: vscode.Uri, { runner, log }: Dependencies): Promise<void> {
  const model = modelFor(file, uri);
  try {
    const [tokenized] = await tokenizePairs([pair], (texts) => runner.tokenize({ texts, model }));
    const { clean, corrupted, correct, incorrect } = tokenized!;
    // Only a continuation is read beyond its first token.
    const read = file.settings.metric === 'continuation' ? undefined : 1;
    const answers = (side: typeof correct): string => side.map(({ tokens }) => JSON.stringify(tokens.slice(0, read).map((token) => token.text).join(''))).join(', ');
    const ofAnswers = [...(correct.length > 0 ? [`correct ${answers(correct)}`] : []), ...(incorrect.length > 0 ? [`incorrect ${answers(incorrect)}`] : [])];
    const counts = `${clean.tokens.length} tokens clean${corrupted ? `, ${corrupted.tokens.length} corrupted` : ''}`;
    text.appendMarkdown(escaped([counts, ...(ofAnswers.length > 0 ? [ofAnswers.join(', ')] : [])].join('; ')));
    text.appendCodeblock(tokenChips(clean.tokens, corrupted?.tokens, file.settings.align), 'plaintext');
  } catch (error) {
    // A model that is not here is told as a diagnostic; the rest of the hover stands without it.
    if (!(error instanceof CircuitError)) log.error('Tokens for a hover', error);
    text.appendMarkdown(`${escaped(toFailure(error).message)}\n\n`);
  }
}

/** Only while the pair is written as it was when it ran. */
async function appendLastRun(text: vscode.MarkdownString, pair: TextPair, uri: vscode.Uri, { runIndex, store, log }: Dependencies): Promise<void> {
  try {
    const manifest = await runIndex.latest(uri.toString(), pair);
    if (!manifest) return;
    const { clean, corrupted } = manifest.pairs[pairIndexIn(manifest, pair)!]!.metric;
    const run = await store.load(manifest.id);
    const of = manifest.pairs.length > 1 ? `, all ${manifest.pairs.length} pairs of the run` : '';
    const title = metricTitle(manifest.experiment.metric);
    const other = corrupted === undefined ? '' : `, ${otherSide(manifest.experiment)} ${signed(corrupted)}`;
    text.appendMarkdown(escaped(`${capitalised(title)} on ${manifest.model.id}: clean ${signed(clean)}${other}`));
    const heads = topHeads(run, 3);
    if (heads !== undefined) text.appendMarkdown(`\n\n${escaped(`Top heads (${manifest.experiment.direction}${of}): ${heads}`)}`);
  } catch (error) {
    log.error('The last run for a hover', error);
  }
}

/** Text as Markdown. Not `appendText`, whose unbreakable spaces make one long line. */
function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()<>#+\-!~|&]/g, '\\$&').replace(/\s*\n\s*/g, ' ');
}
