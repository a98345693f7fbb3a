import { PATH_MODES, type PathMode } from '../../src/shared/paths';
import { MOST_EDGES } from '../../src/shared/pathsProtocol';
import { countBox } from '../view/countBox';
import { button, dropDown, el, segmented } from '../view/dom';
import { MODES } from './methodWords';
import type { PathsChoice } from './ownState';

export interface ToolbarEvents {
  form(form: PathsChoice['form']): void;
  zoomBy(factor: number): void;
  fit(): void;
}

const STEP = 1.4;

/** In which form the edges are shown, and the graph's zoom. */
export function formControls({ form }: Pick<PathsChoice, 'form'>, events: ToolbarEvents): HTMLElement[] {
  return [
    segmented<PathsChoice['form']>(
      'Show edges as',
      [
        { value: 'graph', label: 'Graph', title: 'Layers upward' },
        { value: 'matrix', label: 'Heatmap', title: 'Sender × receiver, of heads' },
      ],
      form,
      (value) => events.form(value),
    ),
    ...(form === 'graph'
      ? [
          el('span', { class: 'buttons' }, [
            button('Fit', () => events.fit(), { title: 'The whole graph (0)' }),
            labelled(button('+', () => events.zoomBy(STEP), { title: 'Zoom in (+)', key: 'zoom in' }), 'Zoom in'),
            labelled(button('−', () => events.zoomBy(1 / STEP), { title: 'Zoom out (−)', key: 'zoom out' }), 'Zoom out'),
          ]),
        ]
      : []),
  ];
}

function labelled(element: HTMLElement, label: string): HTMLElement {
  element.setAttribute('aria-label', label);
  return element;
}

export interface VerifyEvents {
  mode(mode: PathMode): void;
  top(top: number): void;
  verifyTop(): void;
}

/** How edges are patched exactly, and the button that patches the strongest. */
export function verifyControls({ mode, verify }: Pick<PathsChoice, 'mode' | 'verify'>, events: VerifyEvents): HTMLElement[] {
  const modes = PATH_MODES.map((value) => ({ value, label: MODES[value].label }));
  const box = countBox({ value: verify, most: MOST_EDGES, attributes: { 'aria-label': 'How many of the strongest edges to verify', 'data-key': 'how many to verify' }, choose: (count) => events.top(count) });
  return [
    dropDown<PathMode>('Exact path patching', modes, mode, (value) => events.mode(value)),
    el('span', { class: 'buttons' }, [button('Verify top', () => events.verifyTop(), { title: `Patch the ${verify} strongest edges, of the graph or of what is in focus, exactly` }), box]),
    el('p', { class: 'caption mode-words', text: `${MODES[mode].explained}.` }),
  ];
}
