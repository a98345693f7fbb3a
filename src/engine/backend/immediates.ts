/** Callbacks that native code has handed to `setImmediate`, to be run without waiting for the event loop. */
export interface Immediates {
  /** Runs what is waiting, again and again, until `done`. */
  run(done: () => boolean): void;
}

const SPINS_BEFORE_SLEEP = 200;
const SLEEP_MS = 0.2;

/** Watches this thread's `setImmediate` from now on. What is run early is not run again. */
export function watchImmediates(): Immediates {
  const original = globalThis.setImmediate;
  const waiting = new Set<() => void>();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let running = false;

  const watched = (callback: (...args: unknown[]) => void, ...args: unknown[]): NodeJS.Immediate | undefined => {
    if (!isNativeCode(callback)) return original(callback, ...args);
    const once = (): void => {
      if (waiting.delete(once)) callback(...args);
    };
    waiting.add(once);
    return running ? undefined : original(once);
  };
  globalThis.setImmediate = Object.assign(watched, original) as typeof setImmediate;

  return {
    run: (done) => {
      running = true;
      try {
        for (let spins = 0; !done(); spins++) {
          for (const callback of [...waiting]) callback();
          // A GPU at work needs no processor.
          if (spins > SPINS_BEFORE_SLEEP) Atomics.wait(pause, 0, 0, SLEEP_MS);
        }
      } finally {
        running = false;
        for (const callback of waiting) original(callback);
      }
    },
  };
}

function isNativeCode(callback: (...args: never[]) => unknown): boolean {
  return Function.prototype.toString.call(callback).includes('[native code]');
}
