import assert from 'node:assert/strict';
import { ProgressBar } from '../../../src/cli/progressBar';

function terminal(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('progress bar', () => {
  it('redraws one line and takes it away', () => {
    const screen = terminal(true);
    const bar = new ProgressBar(screen);
    bar.show('a.prompts.json', { stage: 'reading the model', fraction: 0.5 });
    bar.show('a.prompts.json', { stage: 'reading the model', fraction: 0.5 });
    bar.clear();
    bar.clear();
    assert.deepEqual(screen.written, ['\r\u001b[K████████████░░░░░░░░░░░░  50 % a.prompts.json: reading the model', '\r\u001b[K']);
  });

  it('keeps within the terminal and within 0 to 100 %', () => {
    const screen = terminal(true, 36);
    const bar = new ProgressBar(screen);
    bar.show('a', { stage: 'x'.repeat(99), fraction: 1.2 });
    bar.show('a', { stage: 'y', fraction: -0.2 });
    for (const line of screen.written) assert.ok(line.length <= '\r\u001b[K'.length + 35);
    assert.match(screen.written[0]!, /100 %/);
    assert.match(screen.written[1]!, /░ +0 %/);
  });

  it('is silent where nobody watches', () => {
    const pipe = terminal(false);
    const bar = new ProgressBar(pipe);
    bar.show('a', { stage: 'b', fraction: 0.5 });
    bar.clear();
    assert.deepEqual(pipe.written, []);
  });
});
