import assert from 'node:assert/strict';
import { cellFormat, formatScore, formatSeconds, formatShare } from '../../../webview/model/format';

describe('numbers on the screen', () => {
  it('are signed and have three significant digits', () => {
    assert.equal(formatScore(0.31415), '+0.314');
    assert.equal(formatScore(-0.0312349), '−0.0312');
    assert.equal(formatScore(12.345), '+12.3');
    assert.equal(formatScore(1), '+1.00');
    assert.equal(formatScore(-1234), '−1230');
    assert.equal(formatScore(0.000012345), '+1.23e−5');
  });

  it('say zero without a sign, and never NaN', () => {
    assert.equal(formatScore(0), '0');
    assert.equal(formatScore(-0), '0');
    for (const value of [NaN, Infinity, -Infinity]) assert.equal(formatScore(value), '–');
    assert.equal(formatShare(NaN), '–');
    assert.equal(formatSeconds(NaN), '–');
  });

  it('have the same decimals in all cells of a map, as many as its largest needs', () => {
    const normalised = cellFormat(0.31);
    assert.deepEqual([0.31, -0.05, 0.1].map((value) => normalised(value).text), ['+0.31', '−0.05', '+0.10']);
    assert.equal(cellFormat(0.0348)(0.0348).text, '+0.035');
    assert.equal(cellFormat(3.2)(-3.2).text, '−3.20');
    assert.equal(cellFormat(42)(42).text, '+42.0');
  });

  it('step back in a cell when nothing is left of them, and tell an exact zero', () => {
    const format = cellFormat(0.31);
    assert.deepEqual(format(-0.001), { text: '0.00', faint: true });
    assert.deepEqual(format(0), { text: '0', faint: true });
    assert.deepEqual(format(0.006), { text: '+0.01', faint: false });
    assert.deepEqual(cellFormat(0)(0), { text: '0', faint: true });
  });

  it('are times a person reads', () => {
    assert.deepEqual([0, 0.0421, 1.5, 75].map(formatSeconds), ['0 s', '42 ms', '1.50 s', '1 min 15 s']);
    assert.deepEqual([0.99996, 59.97, 119.7].map(formatSeconds), ['1.00 s', '1 min 0 s', '2 min 0 s']);
  });
});
