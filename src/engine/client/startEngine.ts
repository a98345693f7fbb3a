import { CircuitError } from '../../shared/errors';
import type { BackendInfo, CallOptions, NativeName } from '../../shared/results';
import type { Engine, LoadedModel, LoadParams } from './engine';
import { forwardingEngine, type EngineCalls } from './forwardingEngine';
import { checkInstalled, installationStamp, isNative, NATIVE_ORDER } from './nativePackages';
import { startProcessEngine, type ProcessEngineOptions } from './processEngine';
import { startWorkerEngine } from './workerEngine';

export interface StartEngineOptions extends Omit<ProcessEngineOptions, 'script' | 'folder'> {
  /** The built engineWorker.js. */
  workerScript: string;
  /** The built engineProcess.js. */
  processScript: string;
  /** Folder with native backends; asked at every load. Undefined: there are none. */
  nativeFolder(): string | undefined;
}

/** An engine that runs, for what. */
interface Running {
  engine: Engine;
  /** Folder and package of a native backend, or 'own'. */
  key: string;
  /** With 'auto': why it is this one and no quicker one. */
  note?: string;
  /** Named where the choice was 'auto'. */
  chosen?: { name: NativeName; stamp: string };
}

/**
 * The engine in a worker thread, or, for native backends, in a process of its own. With 'auto' it takes the first native backend that
 * is installed and starts; one that has failed or died is not tried again until it is installed anew, and what it did stands in
 * `BackendInfo.note` of every result computed in its place. A backend that is asked for by name is never replaced by another.
 */
export function startEngine({ workerScript, processScript, nativeFolder, ...options }: StartEngineOptions): Engine {
  const failures = new Map<string, string>();
  let running: Running | undefined;
  let disposed = false;
  /** Calls under way: another engine is not started over them. */
  const open = new Set<Promise<unknown>>();

  /** The engine for `key`, in place of the one that runs. */
  const switchTo = async (key: string, start: () => Engine): Promise<Engine> => {
    if (running?.key === key) return running.engine;
    const before = running;
    running = undefined;
    await Promise.allSettled(open);
    await before?.engine.dispose();
    if (disposed) throw new CircuitError('internal', 'The engine has been disposed.');
    const engine = start();
    running = { engine, key };
    return engine;
  };
  const loadNative = async (name: NativeName, folder: string, params: LoadParams, call?: CallOptions): Promise<LoadedModel> => {
    const engine = await switchTo(`native|${folder}`, () => startProcessEngine({ ...options, script: processScript, folder }));
    return engine.load({ ...params, backend: name }, call);
  };
  const loadOwn = async (params: LoadParams, call?: CallOptions): Promise<LoadedModel> => {
    const engine = await switchTo('own', () => startWorkerEngine({ script: workerScript, patienceMs: options.patienceMs }));
    return engine.load(params, call);
  };

  const load = async (params: LoadParams, call?: CallOptions): Promise<LoadedModel> => {
    if (disposed) throw new CircuitError('internal', 'The engine has been disposed.');
    const folder = nativeFolder();
    if (isNative(params.backend)) {
      checkInstalled(folder, params.backend);
      const loaded = await loadNative(params.backend, folder, params, call);
      Object.assign(running!, { note: undefined, chosen: undefined });
      return loaded;
    }
    const notes: string[] = [];
    if (params.backend === 'auto' && folder !== undefined) {
      for (const name of NATIVE_ORDER) {
        const stamp = installationStamp(folder, name);
        if (stamp === undefined) continue;
        if (!failures.has(stamp)) {
          try {
            const loaded = await loadNative(name, folder, params, call);
            const note = notes.length > 0 ? notes.join(' ') : undefined;
            Object.assign(running!, { note, chosen: { name, stamp } });
            return noted(loaded, note);
          } catch (error) {
            if (!CircuitError.is(error, 'backend')) throw error;
            failures.set(stamp, error.message);
          }
        }
        notes.push(`The backend "${name}" was not taken. ${failures.get(stamp)}`);
      }
    }
    const loaded = await loadOwn(params, call);
    const note = notes.length > 0 ? notes.join(' ') : undefined;
    Object.assign(running!, { note, chosen: undefined });
    return noted(loaded, note);
  };

  const current = (): EngineCalls => {
    if (disposed) throw new CircuitError('internal', 'The engine has been disposed.');
    if (!running) throw new CircuitError('model-missing', 'No model is loaded. Load one first.');
    const { engine, note, chosen } = running;
    const follow = async <T>(call: Promise<T>): Promise<T> => {
      open.add(call);
      try {
        return noted(await call, note);
      } catch (error) {
        if (chosen && CircuitError.is(error, 'backend')) failures.set(chosen.stamp, error.message);
        throw error;
      } finally {
        open.delete(call);
      }
    };
    return {
      load,
      attribute: (params, call) => follow(engine.attribute(params, call)),
      patch: (params, call) => follow(engine.patch(params, call)),
      attention: (params, call) => follow(engine.attention(params, call)),
      lens: (params, call) => follow(engine.lens(params, call)),
      intervene: (params, call) => follow(engine.intervene(params, call)),
      edges: (params, call) => follow(engine.edges(params, call)),
      patchPaths: (params, call) => follow(engine.patchPaths(params, call)),
      circuits: (params, call) => follow(engine.circuits(params, call)),
      predict: (params, call) => follow(engine.predict(params, call)),
      logits: (params, call) => follow(engine.logits(params, call)),
    };
  };

  const engine = forwardingEngine(current, async () => {
    disposed = true;
    await running?.engine.dispose();
  });
  return { ...engine, load };
}

/** The same answer, if it names its backend, with the note put before the backend's own. */
function noted<T>(answer: T, note: string | undefined): T {
  if (note === undefined || typeof answer !== 'object' || answer === null || !('backend' in answer)) return answer;
  const backend = answer.backend as BackendInfo;
  return { ...answer, backend: { ...backend, note: backend.note === undefined ? note : `${note} ${backend.note}` } };
}
