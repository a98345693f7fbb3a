type Child = Node | string | undefined | false;

export interface ElementOptions {
  class?: string;
  text?: string;
  attributes?: Record<string, string | number | boolean | undefined>;
  on?: { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
}

/** Creates an element. Attributes that are undefined or false are left out; never used for `style`, which the CSP forbids. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, options?: ElementOptions, children?: readonly Child[]): HTMLElementTagNameMap[K];
export function el(tag: string, options?: ElementOptions, children?: readonly Child[]): HTMLElement;
export function el(tag: string, { class: className, text, attributes = {}, on = {} }: ElementOptions = {}, children: readonly Child[] = []): HTMLElement {
  const element = document.createElement(tag);
  if (className !== undefined) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener as EventListener);
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

/** A push button of VS Code's look. `key`: what it is known by when its label changes. */
export function button(label: string, press: () => void, { secondary = true, title, key = label }: { secondary?: boolean; title?: string; key?: string } = {}): HTMLElement {
  // The element gives itself its tab stop a moment too late to be focused at once.
  return el('vscode-button', { text: label, attributes: { tabindex: 0, secondary, title, 'data-key': key }, on: { click: press } });
}

export interface Choice<T extends string> {
  value: T;
  label: string;
  title?: string;
  disabled?: boolean;
  /** In a drop-down list: choices of the same group stand under its name. */
  group?: string;
}

let controls = 0;

/**
 * A drop-down list. The browser's own element in VS Code's colours: labelled, searchable by typing, and read by every screen reader.
 */
export function dropDown<T extends string>(label: string, choices: readonly Choice<T>[], chosen: T, choose: (value: T) => void): HTMLElement {
  const id = `control${controls++}`;
  const select = el(
    'select',
    { attributes: { id, 'data-key': label }, on: { change: () => choose(select.value as T) } },
    grouped(choices, ({ value, label: text, disabled }) => el('option', { text, attributes: { value, disabled, selected: value === chosen } })),
  );
  return el('div', { class: 'field' }, [el('label', { class: 'field-name', text: label, attributes: { for: id } }), select]);
}

function grouped<T extends string>(choices: readonly Choice<T>[], option: (choice: Choice<T>) => HTMLElement): HTMLElement[] {
  const groups = [...new Set(choices.map(({ group }) => group))];
  return groups.flatMap((name) => {
    const options = choices.filter(({ group }) => group === name).map(option);
    return name === undefined ? options : [el('optgroup', { attributes: { label: name } }, options)];
  });
}

/** Two or three exclusive choices side by side: radio buttons drawn as one segmented control. */
export function segmented<T extends string>(legend: string, choices: readonly Choice<T>[], chosen: T, choose: (value: T) => void): HTMLElement {
  const name = `control${controls++}`;
  const options = choices.map(({ value, label, title, disabled }) => {
    const input = el('input', { attributes: { type: 'radio', name, value, disabled, checked: value === chosen, 'data-key': `${legend} ${value}` }, on: { change: () => choose(value) } });
    return el('label', { class: disabled ? 'segment disabled' : 'segment', attributes: { title } }, [input, el('span', { text: label })]);
  });
  return el('fieldset', { class: 'field segmented' }, [el('legend', { class: 'field-name', text: legend }), el('span', { class: 'segments' }, options)]);
}
