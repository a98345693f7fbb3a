import type { Engine, LoadedModel } from '../engine/client/engine';
import type { ModelSource } from '../models/modelSource';
import { BUNDLED } from '../models/resolveModel';
import type { TokenizerService } from '../models/tokenizerService';
import { vocabularyNote } from '../models/vocabularyNote';
import { promptWarnings, toTokenExperiment } from '../prompts/tokenExperiment';
import { tokenizePairs, type TokenizedPair } from '../prompts/tokenizedPair';
import { CircuitError } from '../shared/errors';
import { hasGradient, type TextExperiment, type TokenExperiment } from '../shared/experiment';
import type { CallOptions } from '../shared/results';
import type { Run, RunNote, TokenText } from '../shared/run';
import { DEFAULT_SITES, hasSources, type SiteName } from '../shared/sites';
import type { Tokenize, TokenizerInfo } from '../shared/tokenizer';
import { stagesOf } from './progress';
import { Queue } from './queue';
import type { AnswerSuggestion, AttributionJob, ExperimentRunner } from './runner';
import { runOf } from './runOf';
import { runWork } from './runWork';
import type { RunSettings } from './settings';

export interface RunnerDependencies {
  engine: Engine;
  tokenizer: TokenizerService & { dispose(): Promise<void> };
  /** Finds a model's files on this machine; throws `model-missing`. */
  resolveModel(reference: string): Promise<ModelSource>;
  extensionVersion: string;
  now?: () => Date;
  log?: (line: string) => void;
}

/** Shares of a job's time, as far as one can know before: a first load takes a while, the tokens nearly nothing. */
const TOKENISED = 0.02;
const LOADED = 0.25;

/** What a person waits for, of a run that may be at work itself. */
const SHORT = { isShort: true };

export function createRunner(dependencies: RunnerDependencies): ExperimentRunner {
  const { engine, tokenizer, resolveModel, extensionVersion, now = () => new Date(), log = () => undefined } = dependencies;
  const queue = new Queue();

  const tokenizeIn = (folder: string, call?: CallOptions): Tokenize => (texts) => tokenizer.encode({ folder, texts }, { signal: call?.signal });

  const load = async ({ id, revision, folder }: ModelSource, { backend, threads }: RunSettings, call: CallOptions): Promise<LoadedModel> => {
    const loaded = await engine.load({ id, revision, folder, backend, threads }, call);
    const { model, seconds } = loaded;
    if (seconds > 0) log(`${id}: ${model.layers} layers, ${model.heads} heads, ${model.dtype}, on ${loaded.backend.name} with ${loaded.backend.threads} threads, loaded in ${seconds.toFixed(2)} s`);
    return loaded;
  };

  /** The token put before every prompt, if there is to be one. Throws `experiment` when the tokenizer has none. */
  const bosOf = (wanted: boolean, { bos }: TokenizerInfo): TokenText | undefined => {
    if (!wanted) return undefined;
    if (!bos) throw new CircuitError('experiment', 'A BOS token should stand before the prompts, but the tokenizer of this model names none; write "prependBos": false.');
    return bos;
  };

  const attribute = async (job: AttributionJob, call: CallOptions): Promise<Run> => {
    const { experiment, settings } = job;
    const stages = stagesOf(call);
    stages.begin('Cutting into tokens', TOKENISED);
    const source = await resolveModel(experiment.model ?? settings.model);
    const prependBos = prependsBos(experiment, settings);
    const info = await tokenizer.info({ folder: source.folder }, { signal: call.signal });
    const bos = bosOf(prependBos, info);
    const tokenized = await tokenizePairs(experiment.pairs, tokenizeIn(source.folder, call));
    // Before the model is loaded, so that a mistake in the prompts is told at once.
    const tokens = toTokenExperiment(experiment, tokenized, { bos, context: info.context });
    const loaded = await load(source, settings, stages.begin('Loading the model', LOADED));
    const result = await engine.attribute({ experiment: tokens, sites: job.sites ?? usualSites(tokens) }, stages.begin('Attributing', 1));
    const texts = [
      ...promptWarnings(experiment, tokenized, { bos, context: info.context }, job.source?.pairIndices).map((message): RunNote => ({ severity: 'warning', message })),
      ...(source.id === BUNDLED ? vocabularyNotes(experiment, tokenized) : []),
    ];
    return runOf({ job, prependBos, bos, tokenized, tokens, loaded, result, texts, createdAt: now(), extensionVersion });
  };

  const suggestAnswers: ExperimentRunner['suggestAnswers'] = ({ clean, corrupted, settings, top }, call = {}) =>
    queue.run(async () => {
      const stages = stagesOf(call);
      stages.begin('Cutting into tokens', TOKENISED);
      const source = await resolveModel(settings.model);
      const bos = bosOf(settings.prependBos === true, await tokenizer.info({ folder: source.folder }, { signal: call.signal }));
      const tokenized = await tokenizeIn(source.folder, call)([clean, corrupted]);
      await load(source, settings, stages.begin('Loading the model', 0.8));
      const prompts = tokenized.map(({ tokens }) => [...(bos ? [bos.id] : []), ...tokens.map(({ id }) => id)]);
      const predictions = await engine.predict({ prompts, top }, stages.begin('Predicting', 1));
      const [ofClean, ofCorrupted] = await Promise.all(
        predictions.map(async (ofPrompt): Promise<AnswerSuggestion[]> => {
          const texts = await tokenizer.decode({ folder: source.folder, ids: ofPrompt.map(({ token }) => token) }, { signal: call.signal });
          const usable = await writable(texts, tokenizeIn(source.folder, call));
          return ofPrompt.flatMap(({ probability }, i) => (usable[i] ? [{ token: texts[i]!, probability }] : []));
        }),
      );
      return { clean: ofClean!, corrupted: ofCorrupted! };
    }, call);

  const work = runWork({ engine, tokenizer, resolveModel, load });
  return {
    attribute: (job, call = {}) => queue.run(() => attribute(job, call), call),
    patch: (job, call) => queue.run(() => work.patch(job, call), call),
    attention: (job, call) => queue.run(() => work.attention(job, call), call, SHORT),
    lens: (job, call) => queue.run(() => work.lens(job, call), call, SHORT),
    paths: (job, call) => queue.run(() => work.paths(job, call), call),
    pathPositions: (job, call) => queue.run(() => work.pathPositions(job, call), call),
    patchPaths: (job, call) => queue.run(() => work.patchPaths(job, call), call),
    circuits: (job, call) => queue.run(() => work.circuits(job, call), call),
    intervene: (job, call) => queue.run(() => work.intervene(job, call), call),
    predictions: (job, call) => queue.run(() => work.predictions(job, call), call, SHORT),
    suggestAnswers,
    tokenize: async ({ texts, model }, call) => tokenizeIn((await resolveModel(model)).folder, call)(texts),
    tokenizerInfo: async ({ model }) => tokenizer.info({ folder: (await resolveModel(model)).folder }),
    dispose: async () => {
      await Promise.all([engine.dispose(), tokenizer.dispose()]);
    },
  };
}

/**
 * All but the neurons, and without the sites whose sources prompts of unequal lengths do not have in common. None where there
 * is no gradient: such a run has the metric, and its cells can be patched exactly.
 */
function usualSites(experiment: TokenExperiment): readonly SiteName[] {
  if (!hasGradient(experiment)) return [];
  const areEqual = experiment.pairs.every(({ clean, corrupted }) => !corrupted || corrupted.length === clean.length);
  return areEqual ? DEFAULT_SITES : DEFAULT_SITES.filter((site) => !hasSources(site));
}

/** GPT-2 was trained without BOS before its texts, so that "as the model was made" means none. */
export function prependsBos({ prependBos }: Pick<TextExperiment, 'prependBos'>, settings: Pick<RunSettings, 'prependBos'>): boolean {
  return prependBos ?? settings.prependBos === true;
}

/** Whether each token is what its text is cut into: half a character is no answer that a person could write. */
async function writable(tokens: readonly TokenText[], tokenize: Tokenize): Promise<boolean[]> {
  const cut = await tokenize(tokens.map(({ text }) => text));
  return cut.map(({ tokens: own }, i) => own.length === 1 && own[0]!.id === tokens[i]!.id);
}

function vocabularyNotes({ pairs }: TextExperiment, tokenized: readonly TokenizedPair[]): RunNote[] {
  const texts = pairs.flatMap(({ clean, corrupted }) => [clean, ...(corrupted === undefined ? [] : [corrupted])]);
  const message = vocabularyNote(texts, tokenized.flatMap(({ clean, corrupted }) => [clean, ...(corrupted ? [corrupted] : [])]));
  return message === undefined ? [] : [{ severity: 'warning', message }];
}
