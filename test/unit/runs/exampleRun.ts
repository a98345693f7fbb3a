import { packArrays } from '../../../src/shared/arrays';
import { RUN_FORMAT_VERSION, type Run, type RunPair, type TokenText } from '../../../src/shared/run';

function tokens(...texts: string[]): TokenText[] {
  return texts.map((text) => ({ id: [...text].reduce((sum, letter) => sum + letter.codePointAt(0)!, 0), text }));
}

function pair(name: string, clean: TokenText[], corrupted: TokenText[], metric: RunPair['metric']): RunPair {
  const differsAt = clean.findIndex((token, position) => token.text !== corrupted[position]?.text);
  return { name, clean, corrupted, correct: tokens(' Mary'), incorrect: tokens(' John'), differsAt, metric };
}

/** Every value differs, and none is a short binary fraction, so that a mix-up of axes or a lost bit shows. */
function numbers(count: number, first: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(first + i) / 3);
}

/** A run of three pairs in two length groups on a model of two layers with three heads. No engine made its numbers. */
export function exampleRun(id = '20260131T120000123Z-aaaaaaaa'): Run {
  const pairs = [
    pair('first', tokens('When', ' Mary', ' gave'), tokens('When', ' John', ' gave'), { clean: 2, corrupted: -1 }),
    pair('second', tokens('So', ' it', ' is', ' é⟨E2⟩'), tokens('So', ' it', ' was', ' é⟨E2⟩'), { clean: 1, corrupted: 0.5 }),
    pair('third', tokens('When', ' Amy', ' gave'), tokens('When', ' Dan', ' gave'), { clean: 3, corrupted: 0.5 }),
  ];
  const groups = [
    { pairs: [0, 2], length: 3, positions: 'all' as const },
    { pairs: [1], length: 4, positions: 'all' as const },
  ];
  const arrays = groups.flatMap(({ pairs: rows, length }, group) => [
    { name: `group${group}.z`, axes: ['pair', 'layer', 'position', 'head'], shape: [rows.length, 2, length, 3], data: numbers(rows.length * 2 * length * 3, group) },
    ...['attn_out', 'mlp_out', 'resid_pre'].map((site, place) => ({
      name: `group${group}.${site}`,
      axes: ['pair', 'layer', 'position'],
      shape: [rows.length, 2, length],
      data: numbers(rows.length * 2 * length, 100 * (place + 1) + group),
    })),
  ]);
  return {
    manifest: {
      formatVersion: RUN_FORMAT_VERSION,
      id,
      extensionVersion: '0.1.0',
      createdAt: '2026-01-31T12:00:00.123Z',
      title: 'three pairs',
      source: { uri: 'file:///prompts/three.prompts.json', pairIndices: [0, 1, 2] },
      experiment: {
        metric: 'logitDiff',
        direction: 'denoise',
        pairs: pairs.map(({ name, clean, corrupted }) => ({
          name,
          clean: clean.map(({ text }) => text).join(''),
          corrupted: corrupted.map(({ text }) => text).join(''),
          correct: [' Mary'],
          incorrect: [' John'],
          positions: { S1: 'When', END: -1 },
        })),
      },
      prependBos: false,
      model: {
        id: 'example',
        checkpointHash: 'ab'.repeat(32),
        layers: 2,
        heads: 3,
        dModel: 6,
        dHead: 2,
        dMlp: 24,
        vocabulary: 50,
        context: 16,
        parameters: 1234,
        dtype: 'F32',
      },
      backend: { name: 'cpu', threads: 1 },
      pairs,
      groups,
      timings: { load: 0.25, run: 0.5 },
      notes: [{ severity: 'info', message: 'A note.' }],
    },
    arrays: packArrays(arrays),
  };
}
