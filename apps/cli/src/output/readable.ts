import { nanoUsd } from '@deja/contracts';

/** What is unknown, or is not there. */
export const NOTHING = '–';

/** Decimal text of US dollars for people: cents from a dollar on, four digits that count below; null is unknown, and never 0. */
export function dollars(usd: string | null): string {
  if (usd === null) return NOTHING;
  const nano = nanoUsd(usd);
  const [sign, abs] = nano < 0n ? ['-', -nano] : ['', nano];
  if (abs === 0n) return '$0';
  // From 0.9999 dollars on four digits would round to more than there is room for.
  const step = abs >= 999_950_000n ? 10_000_000n : 10n ** BigInt(Math.max(0, abs.toString().length - 4));
  const rounded = ((abs + step / 2n) / step) * step;
  const whole = (rounded / 1_000_000_000n).toString().replaceAll(/\B(?=(\d{3})+$)/g, ',');
  const fraction = (rounded % 1_000_000_000n).toString().padStart(9, '0');
  return `${sign}$${whole}.${rounded >= 1_000_000_000n ? fraction.slice(0, 2) : fraction.replace(/0+$/, '').padEnd(2, '0')}`;
}

/** A moment in UTC: `2026-01-31 12:00`. */
export const minuteOf = (moment: string | null): string => (moment === null ? NOTHING : new Date(moment).toISOString().slice(0, 16).replace('T', ' '));
/** A moment in UTC: `2026-01-31 12:00:05`. */
export const secondOf = (moment: string | null): string => (moment === null ? NOTHING : new Date(moment).toISOString().slice(0, 19).replace('T', ' '));

/** `12,345` */
export const count = (value: number | null | undefined): string => (value === null || value === undefined ? NOTHING : String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ','));

/** Milliseconds: `312 ms`, `4.2 s`, `95 s`. */
export function duration(ms: number | null): string {
  if (ms === null) return NOTHING;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${count(ms / 1000)} s`;
}

/** A share as percent, never rounded up: 99.99 % is not all. */
export const percent = (share: number): string => `${Math.floor(share * 100 + 1e-9)}%`;

/** The same, fine enough to see what is rare: `0.25%`, `13.3%`; null is of none. */
export function rate(share: number | null): string {
  if (share === null) return NOTHING;
  const parts = share < 0.1 ? 100 : share < 1 ? 10 : 1;
  return `${Math.floor(share * 100 * parts + 1e-9) / parts}%`;
}

/** `$12.3456789`, every digit of it; null is unknown, and never 0. */
export const exactDollars = (usd: string | null): string => (usd === null ? NOTHING : usd.startsWith('-') ? `-$${usd.slice(1)}` : `$${usd}`);

export const orNothing = (text: string | null | undefined): string => (text === null || text === undefined || text === '' ? NOTHING : text);
