import { nanoUsd, SERVICE_TIERS, type ServiceTier } from '@deja/contracts';
import { tableRows, type Cells } from './csv.ts';

const TOKEN_RATES = ['input', 'cached_input', 'cache_write', 'output', 'reasoning', 'audio_input', 'audio_output', 'image_input', 'image_output'] as const;
const OTHER_RATES = ['per_image', 'per_audio_minute', 'per_million_characters', 'per_request'] as const;
export const RATE_NAMES = [...TOKEN_RATES, ...OTHER_RATES, ...SERVICE_TIERS] as const;
export type RateName = (typeof RATE_NAMES)[number];

/** One fact of other-rates.csv: a rate of a model, or of all of a provider (`*`), from a day on and until another. */
export interface OtherRate {
  provider: string;
  model: string;
  /** UTC days, `2026-01-01`; null: always was, always will be. */
  from: string | null;
  until: string | null;
  name: RateName;
  /** Integer nano-USD; a multiplier where the name is that of a service tier; `text`: at the rates of text. */
  value: number | 'text';
}

const DAY = /^20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

/** The facts as they stand, with the day of the latest check. Throws a RangeError on anything it does not understand, and on two facts about the same. */
export function parseOtherRates(csv: string): { rates: OtherRate[]; checked: string } {
  const rates: OtherRate[] = [];
  let checked = '';
  for (const cell of tableRows(withoutComments(csv))) {
    const rate = rateOf(cell);
    const same = rates.find((other) => other.provider === rate.provider && other.model === rate.model && other.name === rate.name && overlap(other, rate));
    if (same !== undefined) throw new RangeError(`two rates for the same time: ${rate.provider} ${rate.model} ${rate.name}`);
    rates.push(rate);
    const day = dayOf(cell('checked'));
    if (day !== null && day > checked) checked = day;
  }
  return { rates, checked };
}

/** Whether a fact holds on the days that begin with `day` (null: the beginning of time) and go on until the next change. */
export const holdsFrom = ({ from, until }: OtherRate, day: string | null): boolean => (from === null || (day !== null && from <= day)) && (until === null || day === null || day < until);

export const isTier = (name: RateName): name is ServiceTier => SERVICE_TIERS.some((tier) => tier === name);

function rateOf(cell: Cells): OtherRate {
  const name = RATE_NAMES.find((known) => known === cell('rate'));
  const [provider, model, source, from, until] = [cell('provider'), cell('model'), cell('source'), dayOf(cell('from')), dayOf(cell('until'))];
  if (name === undefined) throw new RangeError(`a rate of no known name: ${cell('rate')}`);
  if (provider === '' || model === '' || !source.startsWith('https://')) throw new RangeError(`a rate of nothing, or without a source: ${provider} ${model} ${name}`);
  if (from !== null && until !== null && from >= until) throw new RangeError(`a rate that never holds: ${provider} ${model} ${name}`);
  return { provider, model, from, until, name, value: valueOf(name, cell('usd')) };
}

function valueOf(name: RateName, text: string): number | 'text' {
  if (text === 'text' && name === 'audio_input') return 'text';
  const value = isTier(name) && /^\d+(\.\d{1,6})?$/.test(text) ? Number(text) : Number(nanoUsd(text));
  if (value < 0) throw new RangeError(`a rate below 0: ${name} ${text}`);
  return value;
}

function dayOf(text: string): string | null {
  if (text === '') return null;
  if (!DAY.test(text)) throw new RangeError(`not a day: ${text}`);
  return text;
}

const overlap = (a: OtherRate, b: OtherRate): boolean => (a.until === null || b.from === null || b.from < a.until) && (b.until === null || a.from === null || a.from < b.until);
const withoutComments = (csv: string): string => csv.split(/\r?\n/).filter((line) => !line.startsWith('#')).join('\n');
