import { metricTitle } from '../../src/shared/metrics';
import { otherSide } from '../../src/shared/otherSide';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { RunPair, TokenText } from '../../src/shared/run';
import type { ViewOptions } from '../../src/shared/views';
import { formatScore } from '../model/format';
import { chipColumns, quoted, visibleText } from '../model/tokens';
import { el } from './dom';

const MOST_PAIRS = 50;

/** The prompts as the model reads them: clean over corrupted, token under token, the differing ones marked. */
export function pairsView(run: RunSummary, shown: ViewOptions['pair'], open: boolean, choose: (pair: ViewOptions['pair']) => void): HTMLElement {
  const indices = shown === 'all' ? run.pairs.map((_, index) => index) : [shown];
  const blocks = indices.slice(0, MOST_PAIRS).map((index) => pairBlock(run.pairs[index]!, index, run, shown, choose));
  const heading = shown === 'all' ? (run.pairs.length === 1 ? 'Prompts and their tokens' : `Prompts and their tokens (${run.pairs.length} pairs)`) : `Tokens of ${run.pairs[shown]!.name}`;
  return el('details', { class: 'pairs', attributes: { open }, on: { toggle: ({ currentTarget }) => showDifferences(currentTarget as HTMLElement) } }, [
    el('summary', { text: heading }),
    ...blocks,
    indices.length > MOST_PAIRS && el('p', { class: 'caption', text: `and ${indices.length - MOST_PAIRS} more; choose one by name to see it` }),
  ]);
}

function pairBlock(pair: RunPair, index: number, run: RunSummary, shown: ViewOptions['pair'], choose: (pair: ViewOptions['pair']) => void): HTMLElement {
  const columns = chipColumns(pair);
  const line = (name: 'clean' | 'corrupted'): HTMLElement =>
    el('tr', {}, [
      el('th', { text: name, attributes: { scope: 'row' } }),
      ...columns.map(({ [name]: token, differs }) =>
        el('td', { class: differs ? 'chip differs' : 'chip' }, [token && (differs ? el('mark', {}, chipText(token.text)) : el('span', {}, chipText(token.text)))]),
      ),
    ]);
  const { clean, corrupted } = pair.metric;
  const measured = `${metricTitle(run.metric)} ${formatScore(clean)} clean${corrupted === undefined ? '' : `, ${formatScore(corrupted)} ${otherSide(run)}`}`;
  const pickable = run.pairs.length > 1 && shown === 'all';
  return el('section', { class: 'pair' }, [
    el('div', { class: 'pair-line' }, [
      pickable
        ? el('button', { class: 'link', text: pair.name, attributes: { type: 'button', title: 'Show only this pair' }, on: { click: () => choose(index) } })
        : el('strong', { text: pair.name }),
      el('span', { class: 'caption', text: [answersOf(pair), measured].filter((part) => part !== '').join(' · ') }),
    ]),
    el('div', { class: 'chips', attributes: { tabindex: 0, role: 'region', 'aria-label': `Tokens of ${pair.name}` } }, [
      el('table', {}, [
        el('thead', {}, [
          el('tr', {}, [
            el('th', { attributes: { scope: 'col' } }, [el('span', { class: 'hidden', text: 'Prompt' })]),
            ...columns.map(({ place }) => el('th', { text: place.replace('-', '−'), attributes: { scope: 'col' } })),
          ]),
        ]),
        el('tbody', {}, [line('clean'), pair.differsAt !== undefined && line('corrupted')]),
      ]),
    ]),
  ]);
}

/** Long prompts scroll sideways: to where clean and corrupted first differ. */
function showDifferences(view: HTMLElement): void {
  for (const strip of view.querySelectorAll<HTMLElement>('.chips')) {
    const token = strip.querySelector<HTMLElement>('.differs');
    if (token) strip.scrollLeft = token.offsetLeft + token.offsetWidth / 2 - strip.clientWidth / 2;
  }
}

/** A leading space is part of the token: it is drawn as a faint dot. */
function chipText(text: string): HTMLElement[] {
  const visible = visibleText(text);
  const spaces = visible.length - visible.trimStart().length;
  return [
    ...(spaces > 0 ? [el('span', { class: 'space', text: '·'.repeat(spaces), attributes: { 'aria-hidden': 'true' } })] : []),
    el('span', { text: visible.slice(spaces) }),
  ];
}

function answersOf({ correct, incorrect }: RunPair): string {
  if (correct.length === 0) return '';
  return incorrect.length === 0 ? answers(correct) : `${answers(correct)} against ${answers(incorrect)}`;
}

function answers(tokens: readonly TokenText[]): string {
  const most = 4;
  return tokens.slice(0, most).map(({ text }) => quoted(text)).join(', ') + (tokens.length > most ? ` and ${tokens.length - most} more` : '');
}
