/**
 * Builds a part of the page anew without losing the keyboard's place: the focus goes to the successor with the same `data-key`,
 * and where there is none to the part itself, from where Tab goes on.
 */
export function keepingFocus(part: HTMLElement, rebuild: () => void): void {
  const { activeElement } = document;
  const focused = activeElement instanceof HTMLElement && part.contains(activeElement) ? activeElement : undefined;
  const twins = (key: string): HTMLElement[] => [...part.querySelectorAll<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)];
  const key = focused?.dataset.key;
  // Both maps have lists and buttons of the same names.
  const place = key === undefined ? -1 : twins(key).indexOf(focused!);
  rebuild();
  if (!focused || focused.isConnected) return;
  const successor = key === undefined ? undefined : twins(key)[place];
  if (!successor) part.tabIndex = -1;
  (successor ?? part).focus({ preventScroll: true });
}
