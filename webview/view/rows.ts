/** Rows of a table as one tab stop: arrow keys, Home and End go from row to row. */
export function moveInRows(event: KeyboardEvent): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const names = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('.name button')];
  const from = names.indexOf(event.target as HTMLElement);
  const last = names.length - 1;
  const targets: Record<string, number> = { ArrowUp: Math.max(0, from - 1), ArrowDown: Math.min(last, from + 1), Home: 0, End: last };
  const target = targets[event.key];
  if (target === undefined || from === -1) return;
  event.preventDefault();
  names[target]!.focus();
}

/** Gives the table's tab stop to the focused button; returns its row's name. */
export function takeStop(body: HTMLElement, focused: HTMLElement): string {
  for (const button of body.querySelectorAll('.name button')) button.setAttribute('tabindex', button === focused ? '0' : '-1');
  return focused.closest('tr')!.dataset.name!;
}
