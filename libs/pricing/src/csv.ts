import type { Price } from '@deja/contracts';
import { nanoUsd } from '@deja/contracts';

/** Rates of one model in integer nano-USD per million tokens; null where the list has none. */
export type Row = readonly [model: string, input: number, output: number, cacheRead: number | null, cacheWrite: number | null, tier: Tier | null, more?: MoreRates];
/** Rates of requests whose prompt is longer than the first number. */
export type Tier = readonly [abovePromptTokens: number, input: number, output: number, cacheRead: number | null];

/** What a row has beyond that. Members as in Price. */
export interface MoreRates extends Pick<Price, 'reasoning' | 'audioInput' | 'audioOutput' | 'imageInput' | 'imageOutput' | 'perImage' | 'perAudioMinute' | 'perMillionCharacters' | 'perRequest' | 'serviceTiers' | 'tokenless'> {
  /** The UTC day from which the row holds; absent: from the beginning. Of one model's rows the later stands behind. */
  from?: string;
  /** Where there are several: all of them, the shortest first. */
  tiers?: readonly Tier[];
}

const TIER_COLUMN = 'long_context_tier(size:input:output:cache_read)';

/** One row of models.csv: the text of a cell by its column's name. */
export type Cells = (column: string) => string;

/** The rows of models.csv as they stand. Throws a RangeError on a row of another shape and on a column that is not there. */
export function* tableRows(csv: string): Generator<Cells> {
  const [head = '', ...lines] = csv.trim().split(/\r?\n/);
  const names = head.split(',');
  for (const line of lines) {
    const cells = line.split(',');
    if (line.includes('"') || cells.length !== names.length) throw new RangeError(`a row of another shape: ${line}`);
    yield (column) => {
      const text = cells[names.indexOf(column)];
      if (text === undefined) throw new RangeError(`no column ${column}`);
      return text;
    };
  }
}

/**
 * The prices of models.csv by provider. Throws a RangeError on anything it does not understand. A row without an input or
 * output price is left out: no price is not a price of 0.
 */
export function parsePrices(csv: string): { rows: Map<string, Row[]>; updated: string } {
  const rows = new Map<string, Row[]>();
  let updated = '';
  for (const cell of tableRows(csv)) {
    updated = cell('last_updated') > updated ? cell('last_updated') : updated;
    const [input, output] = [rate(cell('input_usd_per_mtok')), rate(cell('output_usd_per_mtok'))];
    if (input === null || output === null) continue;
    const tiers = tiersIn(cell(TIER_COLUMN));
    const reasoning = rate(cell('reasoning_usd_per_mtok'));
    const more: MoreRates = { ...(reasoning !== null && { reasoning }), ...(tiers.length > 1 && { tiers }) };
    const rates = [cell('model'), input, output, rate(cell('cache_read_usd_per_mtok')), rate(cell('cache_write_usd_per_mtok')), tiers[0] ?? null] as const;
    const row: Row = Object.keys(more).length > 0 ? [...rates, more] : rates;
    const list = rows.get(cell('provider')) ?? [];
    list.push(row);
    rows.set(cell('provider'), list);
  }
  return { rows, updated };
}

/** Decimal USD per million tokens to nano-USD per million tokens, exactly. */
function rate(text: string): number | null {
  return text === '' ? null : Number(nanoUsd(text));
}

/** `size:input:output:cache_read`, several of them with `;` between. */
function tiersIn(text: string): Tier[] {
  if (text === '') return [];
  return text.split(';').map(tier).toSorted(([a], [b]) => a - b);
}

function tier(text: string): Tier {
  const [size = '', input = '', output = '', cacheRead = ''] = text.split(':');
  const [inputRate, outputRate] = [rate(input), rate(output)];
  if (!/^\d+$/.test(size) || inputRate === null || outputRate === null) throw new RangeError(`a long context tier of another shape: ${text}`);
  return [Number(size), inputRate, outputRate, rate(cacheRead)];
}
