import { format } from 'd3';
import type { Predictions, RunSummary } from '../../src/shared/panelProtocol';
import type { RunPair } from '../../src/shared/run';
import { quoted } from '../model/tokens';
import { el } from '../view/dom';
import { predictionLists, type PredictedToken, type PredictionList } from './predictedTokens';

const percent = format('.1%');
const tiny = format('.0e');

/** What the model would say next, prompt by prompt, with the answers marked. */
export function predictionsView(predictions: Predictions, pair: RunPair, run: Pick<RunSummary, 'metric' | 'other'>): HTMLElement[] {
  return predictionLists(predictions, pair, run).map(listView);
}

function listView({ title, tokens, missing }: PredictionList): HTMLElement {
  return el('div', { class: 'prediction-list' }, [
    el('h3', { text: title }),
    el('table', { class: 'predictions' }, [
      el('caption', { class: 'hidden', text: `${title}: most probable next tokens` }),
      el('thead', {}, [el('tr', {}, [['Token', 'token'], ['Probability', undefined], ['Logit', 'logit']].map(([text, name]) => el('th', { text, class: name, attributes: { scope: 'col' } })))]),
      el('tbody', {}, tokens.map(tokenRow)),
    ]),
    missing.length > 0 && el('p', { class: 'caption', text: `Not among these: ${missing.map(missingWords).join(', ')}.` }),
  ]);
}

/** "“ Mary” (correct): rank 14, 0.3 %" */
function missingWords({ text, answer, rank, probability }: PredictionList['missing'][0]): string {
  const place = rank === undefined || probability === undefined ? '' : `: rank ${rank}, ${formatPercent(probability)}`;
  return `${quoted(text)} (${answer})${place}`;
}

function tokenRow({ text, probability, logit, answer }: PredictedToken): HTMLElement {
  const bar = el('span', { class: answer === undefined ? 'probability-bar' : `probability-bar ${answer}` });
  bar.style.width = `${Math.max(0.5, probability * 100)}%`;
  return el('tr', { class: answer }, [
    el('th', { attributes: { scope: 'row' } }, [el('span', { class: 'predicted', text: quoted(text) }), answer && el('span', { class: 'answer-mark', text: answer })]),
    el('td', {}, [el('span', { class: 'probability' }, [el('span', { class: 'probability-track', attributes: { 'aria-hidden': 'true' } }, [bar]), el('span', { text: formatPercent(probability) })])]),
    el('td', { class: 'logit', text: logit.toFixed(2).replace('-', '−'), attributes: { title: 'logit' } }),
  ]);
}

export function formatPercent(probability: number): string {
  return probability === 0 || probability >= 5e-4 ? percent(probability) : tiny(probability).replace('e-', 'e−');
}
