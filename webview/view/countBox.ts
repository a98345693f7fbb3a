import { el } from './dom';

export interface CountBoxParts {
  value: number;
  /** More than that becomes it. */
  most: number;
  /** The input's id, its name for those who do not see what stands beside it, its key. */
  attributes: Readonly<Record<string, string>>;
  choose(count: number): void;
}

/** A box for a whole number from 1 on. What is no such number gives way to the one before, and that is said beside it. */
export function countBox({ value, most, attributes, choose }: CountBoxParts): HTMLElement {
  let last = value;
  const said = el('span', { class: 'number-said', attributes: { role: 'status' } });
  const box = el('input', {
    class: 'number',
    attributes: { type: 'number', min: 1, max: most, value, ...attributes },
    on: {
      change: () => {
        const { value: written } = box;
        const count = written === '' ? NaN : Number(written);
        const isCount = Number.isInteger(count) && count >= 1;
        if (isCount) last = Math.min(count, most);
        said.textContent = isCount ? '' : `A whole number from 1 to ${most} is expected; ${last} stays.`;
        box.value = String(last);
        if (isCount) choose(last);
      },
    },
  });
  return el('span', { class: 'number-box' }, [box, said]);
}
