import * as vscode from 'vscode';
import { withoutLinks } from './plainText';

interface Notified {
  /** VS Code's own by default. */
  withProgress?: typeof vscode.window.withProgress;
  title: string;
  /** Expected. */
  seconds: number;
  abort: AbortController;
}

/** Shorter work only shows in the status bar. */
const WORTH_A_NOTIFICATION_SECONDS = 2;

/** With a way to cancel where it will take a while, or takes longer than it should have; what is quick only shows in the status bar. */
export function withNotification<T>({ withProgress = vscode.window.withProgress, title, seconds, abort }: Notified, work: (notify: (stage: string, fraction: number) => void) => Promise<T>): Promise<T> {
  const options = { location: vscode.ProgressLocation.Notification, title: withoutLinks(title), cancellable: true };
  let latest: [stage: string, fraction: number] = ['', 0];
  let tell = (): void => undefined;
  const working = work((...progress) => {
    latest = progress;
    tell();
  });
  const ended = working.then(
    () => undefined,
    () => undefined,
  );
  const start = (): void =>
    void withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => abort.abort());
      let reported = 0;
      tell = () => {
        const [stage, fraction] = latest;
        progress.report({ message: `${stage}, ${Math.round(fraction * 100)} %`, increment: Math.max(0, fraction - reported) * 100 });
        reported = Math.max(reported, fraction);
      };
      tell();
      return ended;
    });
  const timer = setTimeout(start, seconds < WORTH_A_NOTIFICATION_SECONDS ? WORTH_A_NOTIFICATION_SECONDS * 1000 : 0);
  return working.finally(() => clearTimeout(timer));
}
