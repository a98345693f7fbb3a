import type { CallOptions, Progress } from '../shared/results';

export interface GatheredProgress {
  take: NonNullable<CallOptions['onProgress']>;
  /** Hands on what there is, at once. */
  flush(): void;
}

/** Milliseconds between two looks at what was measured: more often than that, drawing would take longer than patching. */
const INTERVAL = 150;
/** Adding to a run copies it: of the time at most one part in so many goes into that. */
const SHARE = 10;

/** Gathers what progress carries and hands it on every so often, the last by `flush`. */
export function gatherProgress<T>(measuredIn: (progress: Progress) => T | undefined, deliver: (progress: { stage: string; fraction: number }, measured: T[]) => void): GatheredProgress {
  let latest: { stage: string; fraction: number } | undefined;
  let measured: T[] = [];
  let next = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!latest) return;
    const [progress, gathered] = [latest, measured];
    latest = undefined;
    measured = [];
    const start = Date.now();
    deliver(progress, gathered);
    next = start + Math.max(INTERVAL, SHARE * (Date.now() - start));
  };
  const take: GatheredProgress['take'] = (progress) => {
    latest = { stage: progress.stage, fraction: progress.fraction };
    const own = measuredIn(progress);
    if (own !== undefined) measured.push(own);
    timer ??= setTimeout(flush, Math.max(0, next - Date.now()));
  };
  return { take, flush };
}
