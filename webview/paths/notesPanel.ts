import type { GraphShape } from '../../src/shared/graph/nodes';
import type { GraphNotes } from '../../src/shared/paths';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { groupNames, togglePin, withName } from './graphNotes';
import { GROUP_MARKS } from './nodeShapes';
import { nodeOrder, titleOf } from './pathText';

export interface NotesPanelEvents {
  keep(notes: GraphNotes): void;
  focus(name: string): void;
}

/** Names, pins and notes: what a person says about the graph, kept with the run. */
export class NotesPanel {
  private readonly node = new Slot(el('div', { class: 'node-notes' }));
  private readonly lists = new Slot(el('div', { class: 'note-lists' }));
  private readonly text: HTMLTextAreaElement;
  readonly element: HTMLElement;
  private notes: GraphNotes;

  constructor(
    private readonly shape: GraphShape,
    notes: GraphNotes,
    private readonly events: NotesPanelEvents,
  ) {
    this.notes = notes;
    this.text = el('textarea', {
      text: notes.text,
      attributes: { id: 'graph-notes', rows: 4, 'data-key': 'graph notes' },
      on: { input: () => this.events.keep({ ...this.notes, text: this.text.value }) },
    });
    this.element = el('section', { class: 'graph-notes', attributes: { 'aria-label': 'Names and notes' } }, [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Names and notes' })]),
      this.node.element,
      this.lists.element,
      el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Notes, kept with the run', attributes: { for: 'graph-notes' } }), this.text]),
    ]);
  }

  /** `node`: the one that can be named and pinned. */
  render(notes: GraphNotes, node: string | undefined): void {
    this.notes = notes;
    if (document.activeElement !== this.text && this.text.value !== notes.text) this.text.value = notes.text;
    this.node.render(JSON.stringify([node, notes.names, notes.pinned]), () => (node === undefined ? [el('p', { class: 'caption', text: 'Focus a node in the graph to name or pin it.' })] : this.nodeControls(node)));
    this.lists.render(JSON.stringify([notes.names, notes.pinned]), () => this.nodeLists());
  }

  private nodeControls(node: string): HTMLElement[] {
    const { notes } = this;
    const pinned = notes.pinned.includes(node);
    const title = titleOf(this.shape, node);
    const box = el('input', {
      attributes: { type: 'text', id: 'node-name', list: 'node-names', value: notes.names[node] ?? '', maxlength: 60, 'data-key': 'node name' },
      on: { change: () => this.events.keep(withName(this.notes, node, box.value)) },
    });
    return [
      el('div', { class: 'toolbar' }, [
        el('div', { class: 'field' }, [el('label', { class: 'field-name', text: `Name of ${title} (nodes of one name are a group)`, attributes: { for: 'node-name' } }), box, el('datalist', { attributes: { id: 'node-names' } }, groupNames(notes).map((name) => el('option', { attributes: { value: name } })))]),
        button(pinned ? `Unpin ${title}` : `Pin ${title}`, () => this.events.keep(togglePin(this.notes, node)), { key: 'pin', title: 'A pinned node stays in the drawing whatever the threshold (P on a node in the graph)' }),
      ]),
    ];
  }

  private nodeLists(): HTMLElement[] {
    const { notes, shape } = this;
    const inOrder = (names: readonly string[]): string[] => [...names].sort((a, b) => nodeOrder(shape, a) - nodeOrder(shape, b));
    const link = (name: string): HTMLElement => el('button', { class: 'link', text: titleOf(shape, name), attributes: { type: 'button', 'data-key': `noted ${name}` }, on: { click: () => this.events.focus(name) } });
    const line = (mark: HTMLElement, title: string, names: readonly string[]): HTMLElement => el('li', {}, [mark, el('strong', { text: title }), ...inOrder(names).map(link)]);
    const groups = groupNames(notes).map((name, index) => line(el('span', { class: `group-mark mark${index % GROUP_MARKS}`, attributes: { 'aria-hidden': 'true' } }), name, Object.keys(notes.names).filter((node) => notes.names[node] === name)));
    const pins = notes.pinned.length === 0 ? [] : [line(el('span', { class: 'group-mark', attributes: { 'aria-hidden': 'true' } }), 'Pinned', notes.pinned)];
    return groups.length + pins.length === 0 ? [] : [el('ul', { class: 'groups' }, [...groups, ...pins])];
  }
}
