/** `12.3%`, `0.04%`. */
export const shareText = (share: number): string => `${trimmed(share * 100, share < 0.01 ? 2 : 1)}%`;

/** The same, never rounded down: of what may be wrong, no less is said than there is. */
export function shareTextUp(share: number): string {
  const digits = share < 0.01 ? 2 : 1;
  return `${trimmed(Math.ceil(share * 100 * 10 ** digits - 1e-9) / 10 ** digits, digits)}%`;
}

const trimmed = (percent: number, digits: number): string => percent.toFixed(digits).replace(/\.0+$/, '');
