import type { PanelAction, RunSummary } from '../../src/shared/panelProtocol';
import { runFacts } from '../model/facts';
import type { SignWords } from '../model/signs';
import type { ChangeForm } from './changeForm';
import { button, el } from './dom';

/** The top of the panel: what was run, on what, how long it took, and what to know when reading the numbers. */
export function factsView(run: RunSummary, act: (action: PanelAction) => void, form: ChangeForm): HTMLElement {
  const actions = [
    button('Rerun', () => act('rerun'), { secondary: false, title: 'The same once more, with the prompts as they are written now' }),
    form.toggle,
    run.source && button('Open prompts', () => act('openSource')),
    button('Show log', () => act('showLog')),
  ];
  const created = new Date(run.createdAt);
  const facts = runFacts(run).map(({ name, value, detail }) =>
    el('div', { class: 'fact' }, [
      el('dt', { text: name }),
      el('dd', { attributes: { title: detail } }, [
        el('span', { class: 'fact-value', text: value }),
        detail !== undefined && detail !== '' && el('span', { class: 'fact-detail', text: detail }),
      ]),
    ]),
  );
  return el('header', { class: 'facts' }, [
    el('div', { class: 'title-line' }, [
      el('h1', { text: run.title }),
      el('time', { text: created.toLocaleString(), attributes: { datetime: run.createdAt } }),
      el('div', { class: 'actions' }, actions),
    ]),
    form.element,
    el('dl', { class: 'fact-list' }, facts),
    ...run.notes.map(({ severity, message }) => note(severity, message)),
  ]);
}

/** How to read the numbers below, in one unit. */
export function readingAid({ sentence }: SignWords): (Node | string)[] {
  return [el('strong', { text: sentence }), ' Attribution is a linear approximation of exact patching: verify what matters.'];
}

function note(severity: 'info' | 'warning', message: string): HTMLElement {
  return el('p', { class: `note ${severity}`, attributes: { role: 'note' } }, [
    el('vscode-badge', { text: severity === 'warning' ? 'Warning' : 'Note' }),
    el('span', { text: message }),
  ]);
}
