import type { Progress } from '../shared/results';

/** The part of a terminal that a progress bar needs. */
export interface Terminal {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const BAR = 24;

/** One line that is redrawn as a call proceeds; nothing at all where nobody watches. */
export class ProgressBar {
  private drawn = '';

  constructor(private readonly terminal: Terminal) {}

  show(label: string, { stage, fraction }: Progress): void {
    if (!this.terminal.isTTY) return;
    const part = Math.min(1, Math.max(0, fraction));
    const filled = Math.round(part * BAR);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled);
    const line = `${bar} ${String(Math.round(part * 100)).padStart(3)} % ${label}: ${stage}`.slice(0, (this.terminal.columns ?? 80) - 1);
    if (line === this.drawn) return;
    this.terminal.write(`\r\u001b[K${line}`);
    this.drawn = line;
  }

  /** Takes the line away, so that what is printed next stands alone. */
  clear(): void {
    if (this.drawn !== '') this.terminal.write('\r\u001b[K');
    this.drawn = '';
  }
}
