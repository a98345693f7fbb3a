import path from 'node:path';
import { settingFaults } from '../prompts/rules';
import type { RunSettings } from '../runner/settings';
import { readRunFile } from '../runs/file';
import type { TextExperiment } from '../shared/experiment';
import type { Run } from '../shared/run';
import type { SiteName } from '../shared/sites';
import type { RunCommand } from './arguments';
import { attributed } from './attribute';
import { usage } from './flags';
import { modelOf, prepare, type Surroundings } from './prepare';

export interface OpenRun {
  run: Run;
  settings: RunSettings;
  /** Read from a file, not attributed now. */
  isStored: boolean;
}

/** The run that a verb works on: a stored one as it is, or that of a prompt file, attributed now at the sites that `sitesOf` says (undefined: the usual ones). */
export async function openRun(command: RunCommand, surroundings: Surroundings, sitesOf: (experiment: TextExperiment) => readonly SiteName[] | undefined): Promise<OpenRun> {
  const { file } = command;
  if (!/\.safetensors$/i.test(file)) {
    const job = await prepare(file, command, surroundings);
    const sites = sitesOf(job.experiment);
    return { run: await attributed({ ...job, ...(sites && { sites }) }, file, file, surroundings), settings: job.settings, isStored: false };
  }
  const given = [command.pairs.length > 0 && '--pair', ...Object.keys(command.overrides).map((name) => (name === 'prependBos' ? '--bos' : `--${name}`)), command.variant && !intervenesOnly(command) && 'a variant'].filter((flag) => typeof flag === 'string');
  if (given.length > 0) throw usage(`${file} is a stored run with an experiment of its own; ${given.join(', ')} cannot change it. Give its prompt file instead.`);
  const run = intervenedIn(await readRunFile(path.resolve(surroundings.folder, file)), command);
  const { experiment, model } = run.manifest;
  const reference = (await modelOf(command.model, surroundings.folder, undefined, surroundings.folder)) ?? experiment.model ?? model.id;
  return { run, settings: { model: reference, backend: command.backend, threads: command.threads, prependBos: 'model', direction: experiment.direction }, isStored: true };
}

/** The one change that a stored run takes: its metric values, which interventions do not touch, stay true. */
function intervenesOnly({ verb, variant }: RunCommand): boolean {
  return verb === 'intervene' && variant !== undefined && !variant.fresh && Object.keys(variant.fields).every((name) => name === 'interventions');
}

/** Throws `usage` for interventions that the run's experiment cannot take. */
function intervenedIn(run: Run, command: RunCommand): Run {
  if (!command.variant) return run;
  const { experiment } = run.manifest;
  const changed: TextExperiment = { ...experiment, variant: { ...experiment.variant, ...command.variant.fields } };
  const [fault] = settingFaults(changed);
  if (fault) throw usage(`${command.file}: ${fault.message}`);
  return { ...run, manifest: { ...run.manifest, experiment: changed } };
}
