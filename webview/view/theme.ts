import { paletteFor, type Palette } from '../model/colour';

/** The scale for VS Code's present theme, which the maps compute with; its two ends go to the style sheet as variables. */
export function currentPalette(): Palette {
  const background = getComputedStyle(document.body).getPropertyValue('--vscode-editor-background').trim();
  const palette = paletteFor(background === '' ? '#ffffff' : background);
  const { style } = document.body;
  style.setProperty('--positive', palette.colourAt(0.7));
  style.setProperty('--negative', palette.colourAt(-0.7));
  return palette;
}

/** VS Code switches a theme by changing the classes and data of the body and the variables on the root element. */
export function watchTheme(changed: () => void): void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id', 'data-vscode-theme-kind'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
}

export function prefersReducedMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches || document.body.classList.contains('vscode-reduce-motion');
}
