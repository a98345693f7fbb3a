import assert from 'node:assert/strict';
import { agreementOf, worstEstimates } from '../../../src/shared/agreement';

const points = (pairs: [estimate: number, exact: number][]): { estimate: number; exact: number }[] => pairs.map(([estimate, exact]) => ({ estimate, exact }));
const near = (actual: number | undefined, expected: number): void => assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

describe('agreement of estimate and truth', () => {
  it("is scipy's, with ties on both sides", () => {
    // scipy 1.x: pearsonr(exact, estimate)[0], spearmanr(exact, estimate)[0], linregress(exact, estimate).slope
    const sample = points([[1.548, 2.041], [-2.245, -2.556], [0.018, 3.323], [-0.246, -0.568], [-0.218, -0.453], [-0.244, -0.216], [-1.329, -2.02], [-0.246, -0.232], [-0.685, -0.865], [3.122, 3.323], [0.344, 0.226], [-0.434, -0.353]]);
    const { count, pearson, spearman, slope } = agreementOf(sample);
    assert.equal(count, 12);
    near(pearson, 0.8437396372076811);
    near(spearman, 0.905263157894737);
    near(slope, 0.6094069916007456);
  });

  it('is perfect along a line, whatever its slope, and opposite against one', () => {
    const line = agreementOf(points([[0, 1], [3, 2], [6, 3]]));
    near(line.pearson, 1);
    near(line.spearman, 1);
    near(line.slope, 3);
    near(agreementOf(points([[2, 1], [1, 2]])).pearson, -1);
  });

  it('says nothing of too few points, or of a side that does not vary', () => {
    assert.deepEqual(agreementOf([]), { count: 0, pearson: undefined, spearman: undefined, slope: undefined });
    assert.deepEqual(agreementOf(points([[1, 2]])), { count: 1, pearson: undefined, spearman: undefined, slope: undefined });
    assert.deepEqual(agreementOf(points([[1, 2], [3, 2]])), { count: 2, pearson: undefined, spearman: undefined, slope: undefined });
    const flat = agreementOf(points([[1, 2], [1, 3]]));
    assert.deepEqual([flat.pearson, flat.spearman, flat.slope], [undefined, undefined, 0]);
  });

  it('names the worst: too large or of the wrong sign, and too small, by how far they are off', () => {
    const { over, under } = worstEstimates(points([[2, 1], [-1, 3], [1, 3], [0.5, 1], [4, 4], [-3, -2.5]]), 2);
    assert.deepEqual(over, points([[-1, 3], [2, 1]]));
    assert.deepEqual(under, points([[1, 3], [0.5, 1]]));
    assert.deepEqual(worstEstimates(points([[1, 1]]), 3), { over: [], under: [] });
  });
});
