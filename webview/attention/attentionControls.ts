import type { RunSummary } from '../../src/shared/panelProtocol';
import type { ViewOptions } from '../../src/shared/views';
import { dropDown, el } from '../view/dom';
import { toggleHead, type AttentionChoice } from './ownState';

/** Which pair, layer and heads are shown. */
export function attentionControls(run: RunSummary, choice: AttentionChoice, options: Pick<ViewOptions, 'pair'>, choose: (choice: AttentionChoice) => void): HTMLElement[] {
  const { layers, heads } = run.model;
  return [
    ...(run.pairs.length === 1 || options.pair !== 'all'
      ? []
      : [dropDown('Attention of pair', run.pairs.map(({ name }, index) => ({ value: String(index), label: name })), String(choice.pair), (value) => choose({ ...choice, pair: Number(value) }))]),
    dropDown('Layer', Array.from({ length: layers }, (_, layer) => ({ value: String(layer), label: `L${layer}` })), String(choice.layer), (value) => choose({ ...choice, layer: Number(value) })),
    el('div', { class: 'field', attributes: { role: 'group', 'aria-label': 'Heads' } }, [
      el('span', { class: 'field-name', text: 'Heads', attributes: { 'aria-hidden': 'true' } }),
      el(
        'span',
        { class: 'head-chips' },
        Array.from({ length: heads }, (_, head) => {
          const shown = choice.heads.includes(head);
          const last = shown && choice.heads.length === 1;
          return el('button', {
            class: 'head-chip',
            text: `H${head}`,
            attributes: { type: 'button', 'aria-pressed': String(shown), 'data-key': `head ${head}`, title: last ? 'The only head shown' : shown ? 'Press to take it away' : 'Press to show it too' },
            on: { click: () => choose({ ...choice, heads: toggleHead(choice.heads, head) }) },
          });
        }),
      ),
    ]),
  ];
}
