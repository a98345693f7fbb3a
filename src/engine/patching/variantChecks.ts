import { CircuitError } from '../../shared/errors';
import { hasOtherRun, INTEGRATION_RULES, OTHERS, type TokenExperiment, type Unit } from '../../shared/experiment';
import type { PairGroup } from '../../shared/results';
import { hasSources, SITE_NAMES, type SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { unitFault } from './unitChecks';

/** Throws `experiment` where there is nothing to take the other activations from. */
export function checkOther({ other = 'corrupted', direction, variant }: TokenExperiment, groups: readonly PairGroup[]): void {
  if (!OTHERS.includes(other)) throw refuse(`There is no "other" called "${String(other)}"; there are ${OTHERS.join(', ')}.`);
  if (other !== 'corrupted' && direction !== 'noise') {
    throw refuse(`Ablation by ${other} is done to the clean run, so its direction is noise, not ${direction}. Set the direction to noise.`);
  }
  const resamples = other === 'resample' || variant?.interventions?.some((own) => own.with === 'resample');
  const alone = groups.find(({ pairs }) => pairs.length === 1);
  if (resamples && alone) {
    throw refuse(`Pair ${alone.pairs[0]! + 1} is the only one of ${alone.length} tokens, so there is no other clean prompt to take activations from. Add a pair of that length, or choose zero or mean.`);
  }
}

/** Throws `experiment` for an intervention or a stopped gradient at something that is not there, saying what is. */
export function checkUnits({ variant = {} }: TokenExperiment, groups: readonly PairGroup[], config: Gpt2Config): void {
  variant.interventions?.forEach(({ unit, with: source }, index) => {
    if (!OTHERS.includes(source)) throw refuse(`Intervention ${index + 1} takes "${String(source)}"; there are ${OTHERS.join(', ')}.`);
    checkUnit(unit, `Intervention ${index + 1}`, groups, config);
  });
  variant.stopGradient?.forEach((unit, index) => checkUnit(unit, `Stopped gradient ${index + 1}`, groups, config));
}

/**
 * Throws `experiment` for variants of attribution that are not derived or contradict each other:
 *   integrated, bothGradients and (gradDrop or qkFix) choose where the gradient is taken in ways that exclude each other;
 *   qkFix takes the softmax anew, which contradicts frozen patterns, replaced scores or patterns, and gradients stopped
 *   between queries or keys and the pattern;
 *   bothGradients takes gradients at two unchanged runs: there must be a corrupted one, and no interventions;
 *   under bothGradients half of KL's gradient is zero by construction;
 *   integrated gradients and the QK fix replace whole prompts or keys position by position: token counts must be equal;
 *   gradDrop is a mean of magnitudes, which the two runs of a continuation cannot be added up to, and needs two layers.
 */
export function checkVariant({ variant = {}, other = 'corrupted', metric }: TokenExperiment, groups: readonly PairGroup[], { layers }: Gpt2Config): void {
  const { integrated, bothGradients, qkFix, gradDrop, freezePattern, interventions = [], stopGradient = [] } = variant;
  const together = (one: string, two: string, why: string): never => {
    throw refuse(`${one} and ${two} cannot be combined: ${why}. Leave one of them out.`);
  };
  if ((integrated || qkFix) && groups.some(({ positions }) => positions === 'last')) {
    throw refuse(`${integrated ? 'Integrated gradients need' : 'The QK fix needs'} clean and corrupted prompts of equal token counts. Choose such prompts or leave it out.`);
  }
  if (integrated) {
    const { steps, rule } = integrated;
    if (!Number.isInteger(steps) || steps < 1) throw refuse(`Integrated gradients take a whole number of steps from 1 on, not ${String(steps)}.`);
    if (!INTEGRATION_RULES.includes(rule)) throw refuse(`There is no integration rule "${String(rule)}"; there are ${INTEGRATION_RULES.join(', ')}.`);
    if (bothGradients) together('Integrated gradients', 'averaging clean and corrupted gradients', 'both choose the inputs at which gradients are taken');
    if (qkFix) together('Integrated gradients', 'the QK fix', 'the fix is derived at the base run');
    if (gradDrop) together('Integrated gradients', 'GradDrop', 'GradDrop is derived at the base run');
  }
  if (bothGradients) {
    if (qkFix) together('Averaging clean and corrupted gradients', 'the QK fix', 'the fix is derived at one base run');
    if (gradDrop) together('Averaging clean and corrupted gradients', 'GradDrop', 'GradDrop is derived at one base run');
    if (!hasOtherRun(other)) together('Averaging clean and corrupted gradients', `ablation by ${other}`, 'there is no second run to take a gradient at');
    if (interventions.length > 0) together('Averaging clean and corrupted gradients', 'interventions', 'they are done to one base run');
    if (metric === 'kl') together('Averaging clean and corrupted gradients', 'KL', 'its gradient at the clean run is zero');
  }
  if (qkFix) {
    if (freezePattern) together('The QK fix', 'frozen attention patterns', 'the fix is the effect that queries and keys have through the pattern');
    if (stopGradient.some(({ site }) => site === 'q' || site === 'k' || site === 'scores')) together('The QK fix', 'gradients stopped at q, k or scores', 'the fix goes past them to the pattern');
    if (interventions.some(({ unit }) => hasSources(unit.site))) together('The QK fix', 'interventions on scores or patterns', 'the fix computes patterns anew from queries and keys');
  }
  if (gradDrop) {
    if (layers < 2) throw refuse('GradDrop needs a model of two layers or more.');
    if (metric === 'continuation') together('GradDrop', 'the metric continuation', 'magnitudes of its two runs do not add up');
  }
}

/** Throws `experiment` for sites that pairs of unequal lengths do not have in common. */
export function checkSites(sites: readonly SiteName[], groups: readonly PairGroup[]): void {
  const unknown = sites.find((site) => !SITE_NAMES.includes(site));
  if (unknown !== undefined) throw refuse(`There is no site "${String(unknown)}"; there are ${SITE_NAMES.join(', ')}.`);
  const unequal = groups.find(({ positions }) => positions === 'last');
  const site = sites.find(hasSources);
  if (unequal && site) {
    throw refuse(`${site} cannot be attributed for pair ${unequal.pairs[0]! + 1}: its prompts have unequal token counts, so their source positions do not correspond. Choose other sites.`);
  }
}

function checkUnit(unit: Unit, what: string, groups: readonly PairGroup[], config: Gpt2Config): void {
  const { site, position, source } = unit;
  const no = (problem: string): never => {
    throw refuse(`${what} cannot be done: ${problem}`);
  };
  const fault = unitFault(unit, config);
  if (fault !== undefined) no(fault);
  const unequal = groups.some(({ positions }) => positions === 'last');
  if (unequal && hasSources(site)) no(`${site} of prompts of unequal token counts do not correspond.`);
  for (const place of [position, source]) {
    if (place === undefined || place === 'last') continue;
    if (unequal) no(`position ${String(place)} does not mean the same in prompts of unequal token counts; use "last".`);
    const shortest = Math.min(...groups.map(({ length }) => length));
    if (!(Number.isInteger(place) && place >= -shortest && place < shortest)) no(`there is no position ${String(place)}; ${groups.length > 1 ? 'the shortest clean prompt' : 'the clean prompt'} has positions 0 to ${shortest - 1}.`);
  }
}

function refuse(message: string): CircuitError {
  return new CircuitError('experiment', message);
}
