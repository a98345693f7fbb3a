import type { LoadedModel } from '../engine/client/engine';
import { pairName } from '../prompts/promptFile';
import { namedPositions } from '../prompts/tokenExperiment';
import type { TokenizedPair } from '../prompts/tokenizedPair';
import { newRunId } from '../runs/id';
import { firstDifference, type TokenExperiment } from '../shared/experiment';
import type { AttributionResult } from '../shared/results';
import { RUN_FORMAT_VERSION, type Run, type RunNote, type RunPair, type TokenText } from '../shared/run';
import { notesOf } from './notes';
import type { AttributionJob } from './runner';

export interface Finished {
  job: AttributionJob;
  prependBos: boolean;
  bos?: TokenText;
  tokenized: TokenizedPair[];
  tokens: TokenExperiment;
  loaded: LoadedModel;
  result: AttributionResult;
  texts: RunNote[];
  createdAt: Date;
  extensionVersion: string;
}

/** A finished attribution as a run. */
export function runOf({ job, prependBos, bos, tokenized, tokens, loaded, result, texts, createdAt, extensionVersion }: Finished): Run {
  const { experiment, title, source } = job;
  const pairs = experiment.pairs.map((pair, i): RunPair => {
    const { clean, corrupted, correct, incorrect } = tokenized[i]!;
    const { at, source: from, range, ...ids } = tokens.pairs[i]!;
    const withBos = (own: readonly TokenText[]): TokenText[] => [...(bos ? [bos] : []), ...own];
    const metric = { clean: result.metric.clean[i]!, corrupted: result.metric.corrupted?.[i] };
    return {
      name: pairName(pair, source?.pairIndices?.[i] ?? i),
      clean: withBos(clean.tokens),
      corrupted: withBos(ids.corrupted && corrupted ? corrupted.tokens : clean.tokens),
      correct: answersOf(ids.correct, correct),
      incorrect: answersOf(ids.incorrect, incorrect),
      ...defined({ differsAt: ids.corrupted && firstDifference(ids.clean, ids.corrupted), at, source: from, range }),
      ...(pair.positions && { positions: namedPositions(pair, tokenized[i]!, bos !== undefined) }),
      metric: defined(metric) as RunPair['metric'],
    };
  });
  return {
    manifest: {
      formatVersion: RUN_FORMAT_VERSION,
      id: newRunId(createdAt),
      extensionVersion,
      createdAt: createdAt.toISOString(),
      title,
      ...(source && { source }),
      experiment,
      prependBos,
      model: loaded.model,
      backend: result.backend,
      pairs,
      groups: result.groups,
      timings: { load: loaded.seconds, run: result.seconds },
      notes: notesOf({ experiment, pairs, backend: result.backend, texts }),
    },
    arrays: result.arrays,
  };
}

/** The tokens that the engine was given, with their texts: of a basket one per answer, of a continuation all. */
function answersOf(ids: readonly number[], answers: TokenizedPair['correct']): TokenText[] {
  const texts = new Map(answers.flatMap(({ tokens }) => tokens).map((token) => [token.id, token]));
  return ids.map((id) => texts.get(id)!);
}

/** Without the fields that have no value: a run in memory is then the same as the one that its file gives back. */
function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
