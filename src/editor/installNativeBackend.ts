import * as vscode from 'vscode';
import type { BackendInfo, NativeName } from '../shared/results';
import type { Log } from './log';
import { installPackages } from './npmInstall';
import { runSettings, setBackend } from './settings';

export interface NativeBackends {
  /** Where they are installed. */
  folder(): string;
  /** Loads the bundled model on a backend, in a process that ends then; rejects with what is wrong. */
  tryOut(backend: NativeName): Promise<BackendInfo>;
}

interface Choice extends vscode.QuickPickItem {
  backend: NativeName;
}

const CHOICES: readonly Choice[] = [
  { backend: 'native', label: 'TensorFlow', description: '@tensorflow/tfjs-node', detail: 'On the processor. Its install script downloads TensorFlow from storage.googleapis.com.' },
  { backend: 'native-gpu', label: 'TensorFlow with CUDA', description: '@tensorflow/tfjs-node-gpu', detail: 'On an NVIDIA GPU (Linux and Windows) with CUDA 11 and cuDNN 8 installed. Downloads TensorFlow from storage.googleapis.com.' },
  { backend: 'webgpu', label: 'WebGPU', description: 'webgpu, @tensorflow/tfjs-backend-webgpu', detail: 'On any GPU with a Vulkan, Metal or Direct3D 12 driver. Everything comes from the npm registry.' },
];

/** Asks for a native backend, installs it with the person's npm, tries it, and says how to use it. Throws `cancelled`, `backend`, `storage`. */
export async function installNativeBackend({ nativeBackends, log }: { nativeBackends: NativeBackends; log: Log }): Promise<void> {
  const folder = nativeBackends.folder();
  const choice = await vscode.window.showQuickPick(CHOICES, { title: 'Install native backend', placeHolder: `With npm, into ${folder}` });
  if (!choice) return;
  const { backend, label } = choice;
  const info = await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Installing the backend ${label}`, cancellable: true }, async (progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => abort.abort());
    log.info(`Installing the backend "${backend}" into ${folder}`);
    await installPackages({
      folder,
      backend,
      signal: abort.signal,
      onLine: (line) => {
        log.info(line);
        progress.report({ message: line.slice(0, 80) });
      },
    });
    progress.report({ message: 'Trying it' });
    return nativeBackends.tryOut(backend);
  });
  const { backend: setting } = runSettings();
  const using = setting === backend || setting === 'auto';
  const message = `The backend "${backend}" is installed and computes${info.threads > 1 ? ` with ${info.threads} threads` : ''}.${using ? ' It is used from the next run on.' : ''}`;
  const answer = await vscode.window.showInformationMessage(message, ...(using ? [] : ['Use it']));
  if (answer) await setBackend(backend);
}
