import type { Engine, LoadedModel } from '../engine/client/engine';
import type { ModelSource } from '../models/modelSource';
import type { TokenizerService } from '../models/tokenizerService';
import { CircuitError } from '../shared/errors';
import { cellKey, exactOf, withExact } from '../shared/exact';
import { matrixIndex, type Edge } from '../shared/graph/nodes';
import { measuredPaths, shapeOf, withEdgeScores, withMeasuredPaths } from '../shared/graph/stored';
import type { PathMode } from '../shared/paths';
import type { AnswerPrediction, Predictions, TokenPrediction } from '../shared/panelProtocol';
import type { CallOptions, PatchCell, Prediction } from '../shared/results';
import type { Run, RunManifest, TokenText } from '../shared/run';
import { stagesOf } from './progress';
import { checkSameModel, sourceOfRun } from './runModel';
import type { ExperimentRunner, RunJob } from './runner';
import type { RunSettings } from './settings';
import { tokenExperimentOf } from './tokenExperimentOf';

export interface RunWorkDependencies {
  engine: Engine;
  tokenizer: TokenizerService;
  resolveModel(reference: string): Promise<ModelSource>;
  load(source: ModelSource, settings: RunSettings, call: CallOptions): Promise<LoadedModel>;
}

/** Share of a call's time for a model that is not loaded yet. */
const LOADED = 0.2;

export type RunWork = Pick<ExperimentRunner, 'patch' | 'attention' | 'lens' | 'paths' | 'pathPositions' | 'patchPaths' | 'circuits' | 'intervene' | 'predictions'>;

/** What is asked of a finished run, without the queue. */
export function runWork({ engine, tokenizer, resolveModel, load }: RunWorkDependencies): RunWork {
  /** Makes the run's model the engine's. Returns where it lies, and the options of the call that follows. */
  const prepare = async ({ run: { manifest }, settings }: RunJob, stage: string, call: CallOptions = {}): Promise<{ folder: string; call: CallOptions }> => {
    const stages = stagesOf(call);
    const source = await sourceOfRun(manifest, settings, resolveModel);
    const { model } = await load(source, settings, stages.begin('Loading the model', LOADED));
    checkSameModel(manifest.model, model);
    return { folder: source.folder, call: stages.begin(stage, 1) };
  };

  /** Predictions as a person reads them, in the form in which they come. */
  const readable = async (folder: string, predictions: readonly Prediction[][], signal: AbortSignal | undefined): Promise<TokenPrediction[][]> => {
    const ids = predictions.flatMap((list) => list.map(({ token }) => token));
    const texts = await tokenizer.decode({ folder, ids }, { signal });
    let next = 0;
    return predictions.map((list) => list.map(({ logit, probability }) => ({ text: texts[next++]!.text, logit, probability })));
  };

  /** The figures of answers that are not among what was found, from all logits; undefined where none is missing. */
  const missingAnswers = async (answers: readonly TokenText[], prompts: number[][], found: readonly Prediction[][], call: CallOptions): Promise<Predictions['missing']> => {
    const lacking = found.map((list) => answers.filter(({ id }) => list.every(({ token }) => token !== id)));
    if (lacking.every((own) => own.length === 0)) return undefined;
    const logits = await engine.logits({ prompts }, call);
    const [clean, corrupted] = lacking.map((own, side) => own.map((answer) => answerPrediction(answer, logits[side]!)));
    return { clean: clean!, ...(corrupted && { corrupted }) };
  };

  const patch: RunWork['patch'] = async (job, call) => {
    const cells = unmeasured(job.run, job.cells);
    if (cells.length === 0) return job.run;
    const prepared = await prepare(job, 'Patching', call);
    const measured = await engine.patch({ experiment: tokenExperimentOf(job.run.manifest), cells }, prepared.call);
    return withExact(job.run, measured);
  };

  const attention: RunWork['attention'] = async ({ pair, layer, heads, ...job }, call) => {
    const prepared = await prepare(job, 'Reading attention', call);
    return engine.attention({ experiment: tokenExperimentOf(job.run.manifest), pair, layer, heads }, prepared.call);
  };

  const lens: RunWork['lens'] = async (job, call) => {
    const prepared = await prepare(job, 'Reading logits', call);
    return engine.lens({ experiment: tokenExperimentOf(job.run.manifest) }, prepared.call);
  };

  const paths: RunWork['paths'] = async ({ method, ...job }, call) => {
    const prepared = await prepare(job, 'Attributing edges', call);
    return withEdgeScores(job.run, await engine.edges({ experiment: tokenExperimentOf(job.run.manifest), method }, prepared.call), method);
  };

  const pathPositions: RunWork['pathPositions'] = async ({ receivers, ...job }, call) => {
    const method = job.run.manifest.paths?.method;
    if (!method) throw new CircuitError('experiment', 'The edges of this run are not attributed yet; attribute them first.');
    const prepared = await prepare(job, 'Attributing edges by position', call);
    return engine.edges({ experiment: tokenExperimentOf(job.run.manifest), method, receivers }, prepared.call);
  };

  const patchPaths: RunWork['patchPaths'] = async ({ mode, edges: wanted, ...job }, call) => {
    const edges = unmeasuredEdges(job.run, mode, wanted);
    if (edges.length === 0) return job.run;
    const prepared = await prepare(job, 'Patching paths', call);
    return withMeasuredPaths(job.run, await engine.patchPaths({ experiment: tokenExperimentOf(job.run.manifest), mode, edges }, prepared.call));
  };

  const circuits: RunWork['circuits'] = async ({ circuits: masks, ablation, ...job }, call) => {
    const prepared = await prepare(job, 'Running circuits', call);
    return engine.circuits({ experiment: tokenExperimentOf(job.run.manifest), circuits: masks, ablation }, prepared.call);
  };

  const intervene: RunWork['intervene'] = async ({ top, ...job }, call) => {
    const prepared = await prepare(job, 'Intervening', call);
    const { metric, patched, predictions, seconds } = await engine.intervene({ experiment: tokenExperimentOf(job.run.manifest), top }, prepared.call);
    const of = (side: Prediction[][]): Promise<TokenPrediction[][]> => readable(prepared.folder, side, call?.signal);
    const [clean, corrupted, afterwards] = await Promise.all([of(predictions.clean), predictions.corrupted && of(predictions.corrupted), of(predictions.patched)]);
    const pairs = clean.map((own, i): Predictions => ({ clean: own, ...(corrupted && { corrupted: corrupted[i]! }), patched: afterwards[i]! }));
    return { metric, patched, pairs, seconds };
  };

  const predictions: RunWork['predictions'] = async ({ pair, top, ...job }, call) => {
    const { variant, pairs } = tokenExperimentOf(job.run.manifest);
    const chosen = pairs[pair];
    if (!chosen) throw new CircuitError('experiment', `This run has no pair ${pair + 1}; it has ${pairs.length}.`);
    // Ablations take their activations from other pairs, so that all of them have to be run.
    if (variant?.interventions?.length) return (await intervene({ ...job, top }, call)).pairs[pair]!;
    const prepared = await prepare(job, 'Predicting', call);
    const prompts = [chosen.clean, ...(chosen.corrupted ? [chosen.corrupted] : [])];
    const found = await engine.predict({ prompts, top }, prepared.call);
    const [clean, corrupted] = await readable(prepared.folder, found, call?.signal);
    const missing = await missingAnswers(answersOf(job.run.manifest, pair), prompts, found, prepared.call);
    return { clean: clean!, ...(corrupted && { corrupted }), ...(missing && { missing }) };
  };

  return { patch, attention, lens, paths, pathPositions, patchPaths, circuits, intervene, predictions };
}

/** What the metric compares; of a continuation, which is several tokens long, the first. */
function answersOf({ experiment, pairs }: RunManifest, pair: number): TokenText[] {
  const { correct, incorrect } = pairs[pair]!;
  return experiment.metric === 'continuation' ? [...correct.slice(0, 1), ...incorrect.slice(0, 1)] : [...correct, ...incorrect];
}

/** Among equal logits tokens come in their order, as in the list of the most probable. */
function answerPrediction({ id, text }: TokenText, logits: Float32Array): AnswerPrediction {
  const logit = logits[id]!;
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  let [rank, total] = [1, 0];
  logits.forEach((value, token) => {
    if (value > logit || (value === logit && token < id)) rank++;
    total += Math.exp(value - largest);
  });
  return { text, logit, probability: Math.exp(logit - largest) / total, rank };
}

/** The cells that are still to be measured, each once. */
function unmeasured(run: Run, cells: readonly PatchCell[]): PatchCell[] {
  return firstOfEach(cells, cellKey, exactOf(run).cells);
}

/** The edges that are still to be measured in this way, each once. */
function unmeasuredEdges(run: Run, mode: PathMode, edges: readonly Edge[]): Edge[] {
  const shape = shapeOf(run);
  return firstOfEach(edges, (edge) => matrixIndex(shape, edge), measuredPaths(run, mode).edges);
}

/** Those whose key is not among the known ones, nor among those before. */
function firstOfEach<T, K>(items: readonly T[], keyOf: (item: T) => K, knownItems: readonly T[]): T[] {
  const known = new Set(knownItems.map(keyOf));
  return items.filter((item) => {
    const key = keyOf(item);
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}
