/**
 * Every error a person can meet has a code, a message that says what happened and what to do,
 * and, where there is one, the cause. Errors cross threads and webviews as plain `Failure` values.
 */

export type ErrorCode =
  | 'cancelled' // the person asked to stop
  | 'prompt-file' // the prompt file is malformed; details carry the place
  | 'experiment' // well-formed, but it cannot be run: lengths differ, answer of several tokens, ...
  | 'model-missing' // no such model, or a file of it is missing
  | 'model-invalid' // config or checkpoint is damaged, hostile, or holds NaN
  | 'model-unsupported' // a sound model of an architecture or type we do not run
  | 'tokenizer' // tokenizer.json missing or unusable
  | 'too-big' // would not fit in memory or in the model's context
  | 'backend' // no tfjs backend could be started
  | 'run-file' // a run file cannot be read
  | 'storage' // a folder or file cannot be written
  | 'usage' // command line: wrong arguments
  | 'internal'; // a fault of ours

/** A place in a text: offsets are UTF-16 code units as in VS Code; line and column count from 1. */
export interface Place {
  offset: number;
  length: number;
  line: number;
  column: number;
}

/** The form in which an error crosses a boundary. Plain data, survives JSON and structured clone. */
export interface Failure {
  code: ErrorCode;
  message: string;
  cause?: string;
  stack?: string;
  place?: Place;
}

export class CircuitError extends Error {
  readonly code: ErrorCode;
  readonly place?: Place;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; place?: Place } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CircuitError';
    this.code = code;
    this.place = options.place;
  }

  static is(error: unknown, code?: ErrorCode): error is CircuitError {
    return error instanceof CircuitError && (code === undefined || error.code === code);
  }
}

export function cancelled(): CircuitError {
  return new CircuitError('cancelled', 'Cancelled.');
}

export function toFailure(error: unknown): Failure {
  if (error instanceof CircuitError) {
    return {
      code: error.code,
      message: error.message,
      cause: describeCause(error.cause),
      stack: error.stack,
      place: error.place,
    };
  }
  if (error instanceof Error) {
    return { code: 'internal', message: error.message, cause: describeCause(error.cause), stack: error.stack };
  }
  return { code: 'internal', message: String(error) };
}

export function fromFailure(failure: Failure): CircuitError {
  const error = new CircuitError(failure.code, failure.message, { cause: failure.cause, place: failure.place });
  if (failure.stack !== undefined) error.stack = failure.stack;
  return error;
}

function describeCause(cause: unknown): string | undefined {
  if (cause === undefined || cause === null) return undefined;
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
