/** The threshold slider: whole steps on a logarithmic scale from the weakest edge in reach to the strongest. */

export const SLIDER_STEPS = 400;
/** Below this share of the strongest edge there is nothing that a drawing of the strongest could show. */
const REACH = 1e-4;

export interface ThresholdRange {
  weakest: number;
  strongest: number;
}

/** From a ten-thousandth of the strongest edge, or from the weakest that is drawn where that is still weaker. */
export function thresholdRange({ weakest, strongest }: ThresholdRange): ThresholdRange {
  return { weakest: Math.min(strongest * REACH, weakest > 0 ? weakest : Infinity), strongest };
}

export function thresholdAt({ weakest, strongest }: ThresholdRange, step: number): number {
  if (!(strongest > 0)) return 0;
  if (step >= SLIDER_STEPS) return strongest;
  return weakest * (strongest / weakest) ** (Math.max(0, step) / SLIDER_STEPS);
}

/** The step next to a threshold. */
export function stepAt({ weakest, strongest }: ThresholdRange, threshold: number): number {
  if (!(strongest > weakest)) return SLIDER_STEPS;
  const share = Math.log(Math.max(threshold, weakest) / weakest) / Math.log(strongest / weakest);
  return Math.round(Math.min(1, share) * SLIDER_STEPS);
}

const PLACES = 3;

/** Three significant digits, as a threshold is written and spoken. */
export function thresholdText(threshold: number): string {
  return threshold === 0 ? '0' : Number(threshold.toPrecision(PLACES)).toString().replace('e-', 'e−');
}
