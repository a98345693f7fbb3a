import type { CallOptions, Progress } from '../shared/results';

export interface Stages {
  /** The next stage: from where the last one got to, up to `end`. Returns the options of the call that does it; its own stage names win. */
  begin(stage: string, end: number): CallOptions;
}

/** One scale from 0 to 1 out of several calls with a scale each; it never goes back. What was measured is passed on. */
export function stagesOf({ signal, onProgress }: CallOptions): Stages {
  let reached = 0;
  let start = 0;
  let end = 0;
  const report = (progress: Progress): void => {
    reached = Math.max(reached, start + (end - start) * Math.min(1, Math.max(0, progress.fraction)));
    onProgress?.({ ...progress, fraction: reached });
  };
  return {
    begin: (stage, next) => {
      // A call that reported nothing, such as loading a model that is loaded already, leaves its share to those that follow.
      start = reached;
      end = next;
      report({ stage, fraction: 0 });
      return { signal, onProgress: (progress) => report({ ...progress, stage: progress.stage || stage }) };
    },
  };
}
