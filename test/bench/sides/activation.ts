import Module from 'node:module';
import path from 'node:path';

export interface ActivationTask {
  kind: 'activation';
  /** The built extension.js. */
  bundle: string;
}

export interface ActivationMeasured {
  requireMilliseconds: number;
  activateMilliseconds: number;
}

/** What VS Code waits for when the extension is first needed. `vscode` is a stand-in that answers anything, so its own work is not in it. */
export function measureActivation({ bundle }: ActivationTask): ActivationMeasured {
  const uri = (fsPath: string): { fsPath: string } => ({ fsPath });
  const Uri = { joinPath: (base: { fsPath: string }, ...parts: string[]) => uri(path.join(base.fsPath, ...parts)), file: uri };
  const workspace = withRest({ textDocuments: [], getConfiguration: () => ({ get: (_: string, standard: unknown) => standard }) });
  const vscode = withRest({ Uri, workspace });
  const internals = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = internals._load.bind(Module);
  internals._load = (request, ...rest) => (request === 'vscode' ? vscode : load(request, ...rest));
  const context = { subscriptions: [], extensionUri: uri(process.cwd()), globalStorageUri: uri(process.cwd()), extension: { packageJSON: { version: '0' } } };

  const start = performance.now();
  const extension = internals._load(path.resolve(bundle), undefined, false) as { activate(context: unknown): unknown };
  const required = performance.now();
  extension.activate(context);
  return { requireMilliseconds: required - start, activateMilliseconds: performance.now() - required };
}

/** Can be called, constructed and asked for any field; gives itself each time. */
const anything: object = new Proxy(class {}, {
  get: (target, name) => {
    if (name === 'prototype') return target.prototype;
    if (name === 'then') return undefined;
    if (name === Symbol.iterator) return () => [][Symbol.iterator]();
    return name === Symbol.toPrimitive ? () => '' : anything;
  },
  set: () => true,
  apply: () => anything,
  construct: () => anything,
});

/** An object with these fields, and anything else asked of it. By its prototype, for that is what a bundle keeps of a module. */
function withRest(fields: object): object {
  return Object.create(anything, Object.getOwnPropertyDescriptors(fields)) as object;
}
