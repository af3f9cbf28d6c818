/** `12.3%`, `0.04%`; never rounded up: 99.99 % is not all. */
export function shareText(share: number): string {
  const digits = digitsOf(share);
  return trimmed(Math.floor(share * 100 * 10 ** digits + 1e-9) / 10 ** digits, digits);
}

/** The same, never rounded down: of what may be wrong, no less is said than there is. */
export function shareTextUp(share: number): string {
  const digits = digitsOf(share);
  return trimmed(Math.ceil(share * 100 * 10 ** digits - 1e-9) / 10 ** digits, digits);
}

const digitsOf = (share: number): number => (share < 0.01 ? 2 : 1);
const trimmed = (percent: number, digits: number): string => `${percent.toFixed(digits).replace(/\.0+$/, '')}%`;
