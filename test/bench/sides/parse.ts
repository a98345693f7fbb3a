import { parsePromptFile } from '../../../src/prompts/parse';

export interface ParseTask {
  kind: 'parse';
  repeats: number;
}

export interface ParseMeasured {
  files: { name: string; megabytes: number; milliseconds: number[] }[];
}

/** What the editor does with a prompt file at each change, of ordinary and of unreasonable files. */
export function measureParse({ repeats }: ParseTask): ParseMeasured {
  const pair = JSON.stringify({ clean: 'When John and Mary went to the shops, John gave a bottle of milk to', corrupted: 'When John and Mary went to the shops, Mary gave a bottle of milk to', correct: ' Mary', incorrect: ' John' });
  const file = (pairs: number): string => `{"pairs": [${new Array<string>(pairs).fill(pair).join(',\n')}]}`;
  const texts: [string, string][] = [
    ['8 pairs', file(8)],
    ['1000 pairs', file(1000)],
    ['too large: refused in one problem', file(54_000)],
    ['500,000 opening brackets: refused as nested too deeply', '['.repeat(500_000)],
  ];
  const files = texts.map(([name, text]) => ({
    name,
    megabytes: text.length / 1e6,
    milliseconds: Array.from({ length: repeats + 1 }, () => {
      const start = performance.now();
      parsePromptFile(text);
      return performance.now() - start;
    }),
  }));
  return { files };
}
