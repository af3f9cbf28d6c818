/** How often texts with this logit turned out not to be the same: [logit, share in [0, 1]]. */
export type CalibrationPoint = readonly [logit: number, wrong: number];

/**
 * Probability of being wrong at a logit, on straight lines between the points and level outside of them: what was never
 * measured is no better than the best that was. The points ascend in logit.
 */
export function wrongAt(points: readonly CalibrationPoint[], logit: number): number {
  const above = points.findIndex(([x]) => x >= logit);
  const [x1, y1] = points.at(above) ?? [0, 1];
  const before = points[above - 1];
  if (above <= 0 || before === undefined) return y1;
  const [x0, y0] = before;
  return y0 + ((logit - x0) / (x1 - x0)) * (y1 - y0);
}
