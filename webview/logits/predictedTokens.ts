import type { Predictions, RunSummary, TokenPrediction } from '../../src/shared/panelProtocol';
import type { RunPair } from '../../src/shared/run';

/** A token the model would say next, and whether it is an answer. */
export interface PredictedToken extends TokenPrediction {
  rank: number;
  answer?: 'correct' | 'incorrect';
}

export interface PredictionList {
  side: keyof Predictions;
  title: string;
  tokens: PredictedToken[];
  /** Answers that are not among these tokens. */
  missing: { text: string; answer: 'correct' | 'incorrect' }[];
}

const TITLES: Record<keyof Predictions, (run: Pick<RunSummary, 'other'>) => string> = {
  clean: () => 'After the clean prompt',
  corrupted: ({ other }) => (other === 'resample' ? 'After the other pair’s prompt' : 'After the corrupted prompt'),
  patched: () => 'With the interventions',
};

/** One list per prompt, as the host orders them. A continuation's answer is its first token. */
export function predictionLists(predictions: Predictions, pair: Pick<RunPair, 'correct' | 'incorrect'>, run: Pick<RunSummary, 'metric' | 'other'>): PredictionList[] {
  const answers = (['correct', 'incorrect'] as const).flatMap((answer) => (run.metric === 'continuation' ? pair[answer].slice(0, 1) : pair[answer]).map(({ text }) => ({ text, answer })));
  return (['clean', 'corrupted', 'patched'] as const).flatMap((side) => {
    const tokens = predictions[side];
    if (!tokens) return [];
    return [
      {
        side,
        title: TITLES[side](run),
        tokens: tokens.map((token, place) => ({ ...token, rank: place + 1, answer: answers.find(({ text }) => text === token.text)?.answer })),
        missing: answers.filter(({ text }) => tokens.every((token) => token.text !== text)),
      },
    ];
  });
}
