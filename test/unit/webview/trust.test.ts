import assert from 'node:assert/strict';
import { commonDomain, formatCoefficient, pointsIn, rankLines, trustPoints } from '../../../webview/model/trust';
import { missWords, worthNaming } from '../../../webview/trust/worst';

const points = [
  { row: 0, column: 0, estimate: 0.1, exact: 0.4 },
  { row: 0, column: 1, estimate: -0.5, exact: -0.2 },
  { row: 1, column: 0, estimate: 0.3, exact: 0.3 },
];
const names = { name: (row: number, column: number): string => `L${row}H${column}`, title: (row: number, column: number): string => `L${row}H${column}` };

describe('an estimate worth naming', () => {
  it('misses by at least a hundredth of the largest exact effect', () => {
    const point = (estimate: number, exact: number): { estimate: number; exact: number } => ({ estimate, exact });
    const [large, small, noise] = [point(1, 4), point(0.1, 0.05), point(0.02, 0)];
    assert.deepEqual(worthNaming([large, small, noise]), [large, small]);
    assert.deepEqual(worthNaming([]), []);
  });

  it('says where its sign is wrong', () => {
    assert.equal(missWords({ estimate: -0.00144, exact: 0.0105 }), '−0.00144 for +0.0105, wrong sign');
    assert.equal(missWords({ estimate: 0.31, exact: 0.18 }), '+0.310 for +0.180');
  });
});

describe('measured cells', () => {
  it('are ranked by either side, strongest estimate first', () => {
    assert.deepEqual(
      trustPoints(points, names).map(({ name, estimateRank, exactRank, miss }) => [name, estimateRank, exactRank, Math.round(miss * 100)]),
      [['L0H1', 1, 3, -30], ['L1H0', 2, 2, 0], ['L0H0', 3, 1, -30]],
    );
  });

  it('share one extent, with zero in it', () => {
    const [low, high] = commonDomain(points);
    assert.ok(low < -0.5 && low > -0.6 && high > 0.4 && high < 0.5);
    assert.ok(commonDomain([{ estimate: 3, exact: 2 }])[0] < 0);
    assert.deepEqual(commonDomain([]), [-1, 1]);
  });

  it('are found in a rectangle, its edges included', () => {
    assert.deepEqual(pointsIn(points, { exact: [0.3, 0.5], estimate: [0, 0.3] }).map(({ exact }) => exact), [0.4, 0.3]);
  });

  it('keep a line in the rank chart where they are among the strongest of one side only', () => {
    assert.deepEqual(rankLines(trustPoints(points, names), 2), [
      { name: 'L0H1', estimate: 1, exact: undefined, outside: 3 },
      { name: 'L1H0', estimate: 2, exact: 2, outside: undefined },
      { name: 'L0H0', estimate: undefined, exact: 1, outside: 3 },
    ]);
  });

  it('have coefficients in three decimals, or none', () => {
    assert.deepEqual([formatCoefficient(-0.4561), formatCoefficient(0.997), formatCoefficient(undefined), formatCoefficient(NaN)], ['−0.456', '0.997', '–', '–']);
    assert.equal(formatCoefficient(-0.0004), '0.000', 'nothing has no sign');
  });
});
