import assert from 'node:assert/strict';
import { lab } from 'd3';
import { contrast, paletteFor } from '../../../webview/model/colour';

const themes = { light: '#ffffff', dark: '#1f1f1f', contrast: '#000000', solarized: '#fdf6e3', monokai: '#272822' };

describe('the colour scale', () => {
  for (const [theme, background] of Object.entries(themes)) {
    const palette = paletteFor(background);

    it(`${theme}: blue is positive, red is negative, and zero is neither`, () => {
      assert.ok(lab(palette.colourAt(1)).b < -20, 'positive end is blue');
      assert.ok(lab(palette.colourAt(-1)).a > 20, 'negative end is red');
      const zero = lab(palette.colourAt(0));
      assert.ok(Math.abs(zero.a) < 5 && Math.abs(zero.b) < 8);
    });

    it(`${theme}: a larger magnitude stands out more from the centre`, () => {
      for (const sign of [1, -1]) {
        const distances = [0.2, 0.4, 0.6, 0.8, 1].map((share) => Math.abs(lab(palette.colourAt(sign * share)).l - lab(palette.colourAt(0)).l));
        for (let step = 1; step < distances.length; step++) assert.ok(distances[step]! > distances[step - 1]!, `${sign} ${distances}`);
      }
    });

    it(`${theme}: numbers on it can be read`, () => {
      for (let share = -1; share <= 1; share += 0.05) {
        const fill = palette.colourAt(share);
        assert.ok(contrast(palette.textOn(fill), fill) >= 4.5, `${fill} at ${share}`);
      }
    });
  }

  it('stays within its ends, and takes an unknown colour for a light background', () => {
    const palette = paletteFor('no colour');
    assert.equal(palette.dark, false);
    assert.equal(palette.colourAt(7), palette.colourAt(1));
  });
});
