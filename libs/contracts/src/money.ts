const NANO_PER_USD = 1_000_000_000n;

/** Integer nano-USD as exact decimal text in USD, without trailing zeros: `150n` → `"0.00000015"`, `null` (unknown) → `null`. */
export function usdText(nanoUsd: bigint): string {
  const sign = nanoUsd < 0n ? '-' : '';
  const abs = nanoUsd < 0n ? -nanoUsd : nanoUsd;
  const fraction = (abs % NANO_PER_USD).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${abs / NANO_PER_USD}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Decimal USD text to integer nano-USD, exactly; throws a RangeError on anything finer than a nano-dollar or not a number. */
export function nanoUsd(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) throw new RangeError(`not an amount in USD: ${JSON.stringify(text)}`);
  const abs = BigInt(match[2] ?? '0') * NANO_PER_USD + BigInt((match[3] ?? '').padEnd(9, '0'));
  return match[1] === '-' ? -abs : abs;
}
