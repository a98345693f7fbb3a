import { fork, type ChildProcess } from 'node:child_process';
import { CircuitError, fromFailure } from '../../shared/errors';
import type { CallOptions, NativeName } from '../../shared/results';
import { connectRpc, PATIENCE_MS, type RpcClient } from '../../shared/rpc';
import type { Engine, LoadedModel, LoadParams } from './engine';
import { forwardingEngine, type EngineCalls } from './forwardingEngine';
import { nativeEnvironment } from './nativeEnvironment';
import { checkInstalled, isNative } from './nativePackages';
import { withOwnBuffers } from './ownBuffers';
import { EXIT_THREAD_DIED, isDeath } from './processRelay';

export interface ProcessEngineOptions {
  /** The built engineProcess.js; engineWorker.js lies beside it. */
  script: string;
  /** Folder with the native backends' packages in its node_modules. */
  folder: string;
  /** A process that has not answered a cancelled call after this time is killed. */
  patienceMs?: number;
  /** Told each line that native code writes. */
  log?: (line: string) => void;
  /** Told the id of each process that is started. */
  onProcess?: (pid: number | undefined) => void;
}

export interface ProcessEngine extends Engine {
  /** Of the process that runs now. */
  readonly pid: number | undefined;
}

/** How much of what native code wrote last is told with its end. */
const LAST_LINES = 3;

/**
 * The engine on a native backend, in a process of its own, which it may take down without harm to anyone else. The process starts
 * with the first `load`, and again with the next one after it has ended or for another backend or number of threads. A call that was
 * open when the process ended rejects with `backend`. Throws `backend` at once where the package is not there.
 */
export function startProcessEngine(options: ProcessEngineOptions): ProcessEngine {
  let life: EngineProcess | undefined;
  let lifeFor = '';
  let disposed = false;

  const current = (): EngineCalls => {
    if (disposed) throw new CircuitError('internal', 'The engine has been disposed.');
    if (!life?.alive) throw life?.end ?? new CircuitError('model-missing', 'No model is loaded. Load one first.');
    return life.remote;
  };
  const load = async (params: LoadParams, call?: CallOptions): Promise<LoadedModel> => {
    if (disposed) return current().load(params, call);
    const { backend, threads } = params;
    if (!isNative(backend)) throw new CircuitError('internal', `The backend "${backend}" needs no process of its own.`);
    checkInstalled(options.folder, backend);
    const wanted = `${backend}|${threads}`;
    if (!life?.alive || lifeFor !== wanted) {
      life?.kill(new CircuitError('cancelled', 'The engine was started again with other settings.'));
      life = new EngineProcess(options, backend, threads);
      options.onProcess?.(life.pid);
      lifeFor = wanted;
    }
    return life.remote.load(params, { signal: call?.signal, onProgress: call?.onProgress });
  };
  const engine = forwardingEngine(current, async () => {
    disposed = true;
    await life?.kill(new CircuitError('cancelled', 'The engine was shut down.'));
  });
  return {
    ...engine,
    load,
    get pid() {
      return life?.alive ? life.pid : undefined;
    },
  };
}

/** One life of the process. */
class EngineProcess {
  /** Why it is not alive any more. */
  end?: CircuitError;
  private readonly child: ChildProcess;
  private readonly client: RpcClient<EngineCalls>;
  private readonly ended: Promise<void>;
  private readonly lastLines: string[] = [];
  private reason?: CircuitError;

  constructor({ script, folder, patienceMs = PATIENCE_MS, log }: ProcessEngineOptions, private readonly backend: NativeName, threads: number) {
    const child = fork(script, [folder], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Not this process's debugger port.
      execArgv: [],
      env: nativeEnvironment(threads),
    });
    this.child = child;
    this.client = connectRpc<EngineCalls>(
      {
        post: (message) => this.post(message as object),
        onMessage: (listener) => {
          const own = (message: unknown): void => listener(withOwnBuffers(message));
          child.on('message', own);
          return () => child.off('message', own);
        },
      },
      { hang: { afterMs: patienceMs, end: () => void this.kill(hung()) } },
    );
    child.on('message', (message) => {
      if (isDeath(message)) this.reason = fromFailure(message.died);
    });
    for (const stream of [child.stdout, child.stderr]) this.follow(stream!, log);
    child.on('error', (error) => this.died(new CircuitError('backend', `The process of the backend "${backend}" could not be started: ${error.message}. ${ADVICE}`, { cause: error })));
    this.ended = new Promise((resolve) => {
      child.on('error', () => resolve());
      // Not 'exit': what it wrote last is to be read first.
      child.on('close', (code, signal) => {
        this.died(this.deathOf(code, signal));
        resolve();
      });
    });
  }

  get alive(): boolean {
    return this.end === undefined;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get remote(): EngineCalls {
    return this.client.remote;
  }

  /** Native code in the middle of an operation hears nothing else. */
  kill(reason: CircuitError): Promise<void> {
    this.died(reason);
    this.child.kill('SIGKILL');
    return this.ended;
  }

  private post(message: object): void {
    // A process that has just ended is told of by its 'close'.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private died(reason: CircuitError): void {
    if (!this.alive) return;
    this.end = reason;
    this.client.close(reason);
  }

  private follow(stream: NodeJS.ReadableStream, log: ((line: string) => void) | undefined): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines.filter((one) => one.trim() !== '')) {
        this.lastLines.push(line.trim());
        if (this.lastLines.length > LAST_LINES) this.lastLines.shift();
        log?.(`${this.backend}: ${line}`);
      }
    });
  }

  private deathOf(code: number | null, signal: string | null): CircuitError {
    const how = signal ? `was ended by ${signal}${SIGNALS[signal] ?? ''}` : code === EXIT_THREAD_DIED && this.reason ? `stopped: ${this.reason.message}` : `ended with exit code ${code}`;
    const said = this.lastLines.length > 0 ? ` Its last words: ${this.lastLines.join(' | ')}` : '';
    return new CircuitError('backend', `The process of the backend "${this.backend}" ${how}. ${ADVICE}${said}`, { cause: this.reason });
  }
}

const ADVICE = 'It starts again with the next run; if that happens again, install the backend anew or set circuitExplorer.backend (--backend) to "wasm-threads".';

const SIGNALS: Readonly<Record<string, string>> = {
  SIGKILL: ' (the system does that when memory runs out)',
  SIGSEGV: ' (a fault in native code)',
  SIGABRT: ' (native code gave up)',
  SIGILL: ' (this processor lacks an instruction that the library uses)',
};

function hung(): CircuitError {
  return new CircuitError('backend', 'The native backend hung in a call that was cancelled, and its process was ended. It starts again with the next run.');
}
