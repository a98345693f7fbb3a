import type { Predictions, RunSummary, TokenPrediction } from '../../src/shared/panelProtocol';
import type { RunPair } from '../../src/shared/run';

/** A token the model would say next, and whether it is an answer. */
export interface PredictedToken extends TokenPrediction {
  rank: number;
  answer?: 'correct' | 'incorrect';
}

type Side = 'clean' | 'corrupted' | 'patched';

export interface PredictionList {
  side: Side;
  title: string;
  tokens: PredictedToken[];
  /** Answers that are not among these tokens, and where they come, if that is known. */
  missing: { text: string; answer: 'correct' | 'incorrect'; rank?: number; probability?: number }[];
}

const TITLES: Record<Side, (run: Pick<RunSummary, 'other'>) => string> = {
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
        missing: answers.filter(({ text }) => tokens.every((token) => token.text !== text)).map((answer) => ({ ...figuresOf(predictions, side, answer.text), ...answer })),
      },
    ];
  });
}

function figuresOf({ missing }: Predictions, side: Side, text: string): { rank: number; probability: number } | undefined {
  const found = side === 'patched' ? undefined : missing?.[side]?.find((answer) => answer.text === text);
  return found && { rank: found.rank, probability: found.probability };
}
