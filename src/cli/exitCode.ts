import { CircuitError, type ErrorCode } from '../shared/errors';

export const EXIT = { done: 0, other: 1, input: 2, cancelled: 3 } as const;

/** Faults that the person mends by changing what was typed, written or named: a damaged model is an input too. */
const INPUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['usage', 'prompt-file', 'experiment', 'too-big', 'run-file', 'model-missing', 'model-invalid', 'model-unsupported', 'tokenizer']);

export function exitCodeOf(error: unknown): number {
  if (!CircuitError.is(error)) return EXIT.other;
  if (error.code === 'cancelled') return EXIT.cancelled;
  return INPUT.has(error.code) ? EXIT.input : EXIT.other;
}
