/** Lanczos, g = 7, n = 9 (Godfrey's coefficients): about 15 digits. */
const LANCZOS: readonly [number, ...number[]] = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012,
  9.9843695780195716e-6, 1.5056327351493116e-7,
];
const TINY = 1e-300;
const EPSILON = 1e-15;

/** ln Γ(x) for x > 0. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const shifted = x - 1;
  const t = shifted + 7.5;
  const series = LANCZOS.reduce((sum, coefficient, i) => sum + (i === 0 ? 0 : coefficient / (shifted + i)), LANCZOS[0]);
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(t) - t + Math.log(series);
}

/**
 * P(X ≤ x) for X ~ Beta(a, b): the regularised incomplete beta function, by its continued fraction (NIST DLMF 8.17.22, evaluated by Lentz's
 * method). a, b > 0; x outside [0, 1] is clamped.
 */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // The fraction converges fast on one side of the mean; the other side is its mirror image.
  return x < (a + 1) / (a + b + 2) ? (front * continuedFraction(x, a, b)) / a : 1 - (front * continuedFraction(1 - x, b, a)) / b;
}

function continuedFraction(x: number, a: number, b: number): number {
  const notZero = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / notZero(1 + even * d);
    c = notZero(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / notZero(1 + odd * d);
    c = notZero(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < EPSILON) break;
  }
  return fraction;
}

/**
 * The x with P(X ≤ x) = share for X ~ Beta(a, b): bisection of ln x (or of ln(1 − x), whichever end is near), so that quantiles of 1e-12 have
 * their digits too. share in [0, 1]. Relative error about 1e-12.
 */
export function betaQuantile(share: number, a: number, b: number): number {
  if (share <= 0) return 0;
  if (share >= 1) return 1;
  if (betaCdf(0.5, a, b) < share) return 1 - lowerQuantile(1 - share, b, a);
  return lowerQuantile(share, a, b);
}

/** For quantiles of at most one half. */
function lowerQuantile(share: number, a: number, b: number): number {
  let low = Math.log(TINY);
  let high = Math.log(0.5);
  for (let step = 0; step < 100 && high - low > 1e-13; step++) {
    const middle = (low + high) / 2;
    if (betaCdf(Math.exp(middle), a, b) < share) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** Two-sided Clopper–Pearson interval of a rate after `wrong` of `all`; neither need be whole (faded evidence). `miss`: share left outside. */
export function rateInterval(wrong: number, all: number, miss = 0.05): { low: number; high: number } {
  const right = Math.max(0, all - wrong);
  return {
    low: wrong <= 0 ? 0 : betaQuantile(miss / 2, wrong, right + 1),
    high: right <= 0 ? 1 : betaQuantile(1 - miss / 2, wrong + 1, right),
  };
}

/** The z with P(Z ≤ z) = 1 − share for a standard normal Z. share in (0, ½]; absolute error < 4.5e-4 (Abramowitz and Stegun 26.2.23). */
export function normalUpperQuantile(share: number): number {
  const t = Math.sqrt(-2 * Math.log(share));
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t);
}
