import fc from 'fast-check';
import { wrongAt, type CalibrationPoint } from './calibration.ts';

const POINTS: CalibrationPoint[] = [[-6, 0.99], [0, 0.5], [2, 0.1], [3, 0.02]];

test.each([
  [-6, 0.99], [0, 0.5], [3, 0.02],
  [1, 0.3], [-3, 0.745],
])('a logit of %d is wrong in %d', (logit, wrong) => {
  expect(wrongAt(POINTS, logit)).toBeCloseTo(wrong, 10);
});

test('beyond what was measured nothing is extrapolated', () => {
  expect(wrongAt(POINTS, 40)).toBe(0.02);
  expect(wrongAt(POINTS, -40)).toBe(0.99);
  expect(wrongAt([[1, 0.3]], -5)).toBe(0.3);
  expect(wrongAt([[1, 0.3]], 5)).toBe(0.3);
});

test('a higher logit is never the more dangerous one', () => {
  const logit = fc.double({ min: -50, max: 50, noNaN: true });
  const curve = fc.uniqueArray(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 8, selector: ([x]) => x })
    .map((points) => {
      const wrong = points.map(([, y]) => y).sort((a, b) => b - a);
      return points.map(([x]) => x).sort((a, b) => a - b).map((x, i): CalibrationPoint => [x, wrong[i]!]);
    });
  fc.assert(fc.property(curve, logit, logit, (points, a, b) => {
    const [low, high] = [wrongAt(points, Math.min(a, b)), wrongAt(points, Math.max(a, b))];
    expect(high).toBeLessThanOrEqual(low + 1e-12);
    expect(high).toBeGreaterThanOrEqual(points.at(-1)![1] - 1e-12);
    expect(low).toBeLessThanOrEqual(points[0]![1] + 1e-12);
  }));
});
