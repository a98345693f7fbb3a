import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArguments, type WorkCommand } from '../../../src/cli/arguments';
import { exitCodeOf } from '../../../src/cli/exitCode';
import { perform } from '../../../src/cli/perform';
import type { Surroundings } from '../../../src/cli/prepare';
import { ProgressBar } from '../../../src/cli/progressBar';
import type { AttributionJob, ExperimentRunner } from '../../../src/runner/runner';
import type { CallOptions } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import type { TokenizedText } from '../../../src/shared/tokenizer';
import { exampleRun } from '../runs/exampleRun';

/** A token per word, its space in front. */
function cut(text: string): TokenizedText {
  const found = [...text.matchAll(/ ?[^ ]+| $/g)];
  return {
    tokens: found.map(([word]) => ({ id: [...word].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 99991, text: word })),
    offsets: found.map((match) => [match.index, match.index + match[0].length]),
  };
}

export const FILE = `{
  "direction": "noise",
  "pairs": [
    { "clean": "John saw Mary", "corrupted": "John saw Amy", "correct": " x", "incorrect": " y" },
    { "name": "second", "clean": "He saw Mary", "corrupted": "She saw Mary", "correct": " x", "incorrect": " y" }
  ]
}`;

/** The verbs in a folder of their own, with a runner that answers what a test says. */
export interface CommandLine {
  folder: string;
  jobs: AttributionJob[];
  out: string;
  err: string;
  isTerminal: boolean;
  answer: (job: AttributionJob, call?: CallOptions) => Promise<Run>;
  /** What the runner does beside attributing. */
  work: Partial<ExperimentRunner>;
  /** Exit code. */
  run(...words: string[]): Promise<number>;
}

/** To be called within a `describe`: begins anew before each test. */
export function commandLine(): CommandLine {
  const nobody = () => assert.fail('nobody asked for this');
  const cli: CommandLine = {
    ...{ folder: '', jobs: [], out: '', err: '', isTerminal: false, work: {}, answer: async () => exampleRun() },
    run: async (...words) => {
      const runner: ExperimentRunner = {
        attribute: (job, call) => {
          cli.jobs.push(job);
          return cli.answer(job, call);
        },
        tokenize: async ({ texts }) => texts.map(cut),
        tokenizerInfo: async () => ({ vocabulary: 99991, context: 8 }),
        suggestAnswers: nobody,
        patch: nobody,
        attention: nobody,
        lens: nobody,
        paths: nobody,
        pathPositions: nobody,
        patchPaths: nobody,
        circuits: nobody,
        intervene: nobody,
        predictions: nobody,
        dispose: async () => undefined,
        ...cli.work,
      };
      const surroundings: Surroundings = {
        runner,
        progress: new ProgressBar({ isTTY: cli.isTerminal, write: (text) => (cli.err += text) }),
        signal: new AbortController().signal,
        folder: cli.folder,
        print: (text) => (cli.out += text),
        warn: (text) => (cli.err += text),
      };
      try {
        return await perform(parseArguments(words) as WorkCommand, surroundings);
      } catch (error) {
        cli.err += error instanceof Error ? error.message : String(error);
        return exitCodeOf(error);
      }
    },
  };
  beforeEach(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'cli-'));
    Object.assign(cli, { folder, jobs: [], out: '', err: '', isTerminal: false, work: {}, answer: async () => exampleRun() });
    await writeFile(path.join(folder, 'a.prompts.json'), FILE);
  });
  afterEach(() => rm(cli.folder, { recursive: true }));
  return cli;
}
