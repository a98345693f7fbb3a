import { CircuitError } from '../shared/errors';
import type { TokenPrediction } from '../shared/panelProtocol';
import type { InterventionOutcome } from '../runner/runner';
import { metricTitle, metricUnit } from '../shared/metrics';
import { otherSide } from '../shared/otherSide';
import type { Run } from '../shared/run';
import { capitalised } from '../shared/text';
import type { InterveneCommand } from './arguments';
import { working } from './attribute';
import { runJson, shortest, type RunJson } from './json';
import { openRun } from './openRun';
import type { Surroundings } from './prepare';
import { alignedTable, facts, signed, tokenText } from './text';

/** What `intervene --json` prints; metric and logits raw. Fields are added, never changed. */
export interface InterveneJson extends RunJson {
  unit: 'raw';
  /** The metric of the base run with the interventions, beside `metricValues` without them. */
  patched: { mean: number; perPair: { name: string; value: number }[] };
  /** Most probable next tokens after the prompts. */
  pairs: { name: string; clean: TokenPrediction[]; corrupted?: TokenPrediction[]; patched: TokenPrediction[] }[];
}

export async function intervene(command: InterveneCommand, surroundings: Surroundings): Promise<void> {
  const { run, settings } = await openRun(command, surroundings, () => []);
  if (!run.manifest.experiment.variant?.interventions?.length) {
    throw new CircuitError('usage', `${command.file} has no interventions; say what is replaced, such as --intervene z:9.6=mean.`);
  }
  const outcome = await working(command.file, command.file, surroundings, (call) => surroundings.runner.intervene({ run, settings, top: command.top }, call));
  surroundings.print(command.json ? `${JSON.stringify(interveneJson(run, outcome))}\n` : interveneTables(run, outcome));
}

export function interveneJson(run: Run, { patched, pairs }: InterventionOutcome): InterveneJson {
  const read = (predictions: readonly TokenPrediction[]): TokenPrediction[] => predictions.map(({ text, logit, probability }) => ({ text, logit: shortest(logit), probability: shortest(probability) }));
  const names = run.manifest.pairs.map(({ name }) => name);
  return {
    ...runJson(run),
    unit: 'raw',
    patched: { mean: patched.reduce((sum, value) => sum + value, 0) / patched.length, perPair: patched.map((value, i) => ({ name: names[i]!, value: shortest(value) })) },
    pairs: pairs.map(({ clean, corrupted, patched: after }, i) => ({ name: names[i]!, clean: read(clean), ...(corrupted && { corrupted: read(corrupted) }), patched: read(after!) })),
  };
}

function interveneTables(run: Run, { patched, pairs }: InterventionOutcome): string {
  const { experiment, pairs: own } = run.manifest;
  const corrupted = own.every(({ metric }) => metric.corrupted !== undefined);
  const values = own.map(({ name, metric }, i) => [name, signed(metric.clean), ...(corrupted ? [signed(metric.corrupted!)] : []), signed(patched[i]!)]);
  const base = experiment.direction === 'noise' ? 'clean' : 'corrupted';
  const parts = pairs.map((predictions, i) => {
    const sides = (['clean', 'corrupted', 'patched'] as const).filter((side) => predictions[side]);
    const rows = predictions.patched!.map((_, rank) => sides.map((side) => predictionText(predictions[side]![rank])));
    const titles = sides.map((side) => (side === 'corrupted' ? otherSide(experiment) : side));
    return `${own[i]!.name}: next tokens\n${alignedTable(titles, rows, titles)}`;
  });
  return `${[
    facts(run),
    `${capitalised(metricTitle(experiment.metric))}, "patched" is the ${base} run with the interventions (${metricUnit(experiment.metric)})\n${alignedTable(['pair', 'clean', ...(corrupted ? [otherSide(experiment)] : []), 'patched'], values, ['pair'])}`,
    ...parts,
  ].join('\n\n')}\n`;
}

function predictionText(prediction: TokenPrediction | undefined): string {
  return prediction ? `${tokenText(prediction.text)} ${(prediction.probability * 100).toFixed(1)} %` : '';
}
