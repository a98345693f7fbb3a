import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { agreementOf, worstEstimates } from '../../../src/shared/agreement';

interface Case {
  name: string;
  exact: number[];
  estimate: number[];
  pearson?: number;
  spearman?: number;
  slope?: number;
}

const { cases } = JSON.parse(readFileSync(path.join('test', 'fixtures', 'expected', 'agreement.json'), 'utf8')) as { cases: Case[] };
const pointsOf = ({ exact, estimate }: Case): { exact: number; estimate: number }[] => exact.map((value, i) => ({ exact: value, estimate: estimate[i]! }));

describe('agreement figures against scipy', () => {
  for (const one of cases) {
    it(one.name, () => {
      const own = agreementOf(pointsOf(one));
      assert.equal(own.count, one.exact.length);
      for (const figure of ['pearson', 'spearman', 'slope'] as const) {
        const [value, wanted] = [own[figure], one[figure]];
        if (wanted === undefined) assert.equal(value, undefined, figure);
        // Nine digits are given; the mean of values far from zero costs some of them.
        else assert.ok(value !== undefined && Math.abs(value - wanted) <= 1e-8 * Math.max(1e-12, Math.abs(wanted)), `${figure}: ${value}, scipy ${wanted}`);
      }
    });
  }

  it('is absent with fewer than two points', () => {
    for (const points of [[], [{ exact: 1, estimate: 2 }]]) {
      const { count, pearson, spearman, slope } = agreementOf(points);
      assert.deepEqual([count, pearson, spearman, slope], [points.length, undefined, undefined, undefined]);
    }
  });

  it('correlations do not change when estimate and exact change places, the slope does', () => {
    const one = cases.find(({ name }) => name === 'ties')!;
    const there = agreementOf(pointsOf(one));
    const back = agreementOf(pointsOf({ ...one, exact: one.estimate, estimate: one.exact }));
    assert.ok(Math.abs(there.pearson! - back.pearson!) < 1e-12 && Math.abs(there.spearman! - back.spearman!) < 1e-12);
    // The product of both slopes is r².
    assert.ok(Math.abs(there.slope! * back.slope! - there.pearson! ** 2) < 1e-12);
    assert.ok(Math.abs(there.slope! - back.slope!) > 0.1);
  });
});

describe('the worst estimates', () => {
  const point = (exact: number, estimate: number): { exact: number; estimate: number } => ({ exact, estimate });

  it('too large or of the wrong sign is over, too small is under; furthest first', () => {
    const [large, larger, wrongSign, small, none, right] = [point(1, 2), point(-1, -4), point(1, -0.5), point(-3, -1), point(2, 0), point(1, 1)];
    const { over, under } = worstEstimates([large, right, none, wrongSign, small, larger], 3);
    assert.deepEqual(over, [larger, wrongSign, large]);
    assert.deepEqual(under, [none, small]);
  });

  it('gives as many as asked for and leaves its input alone', () => {
    const points = [point(1, 2), point(1, 4), point(1, 3)];
    assert.deepEqual(worstEstimates(points, 2).over, [point(1, 4), point(1, 3)]);
    assert.deepEqual(points, [point(1, 2), point(1, 4), point(1, 3)]);
  });
});
