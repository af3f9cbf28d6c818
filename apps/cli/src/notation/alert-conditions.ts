import type { AlertCondition, AlertMetric } from '@deja/contracts';
import { InvalidArgumentError } from 'commander';
import { secondsWords } from './times.ts';

/** In place of a value: the metric's own. */
export const USUAL = 'default';
type Said<T> = T | typeof USUAL;

/** What the command line may say of a condition. */
export interface ConditionOptions {
  metric?: AlertMetric;
  above?: Said<number>;
  percentile?: Said<number>;
  window?: Said<number>;
  minRequests?: Said<number>;
  for?: Said<number>;
  clear?: Said<number>;
  tenant?: string;
  allTenants?: true;
  key?: string;
  allKeys?: true;
  model?: string;
  allModels?: true;
}
type Rest = Omit<AlertCondition, 'metric'>;

/** The condition with what the options say of it. Another metric begins anew: what was said of the former one is none of its. */
export function changedCondition(current: AlertCondition | undefined, options: ConditionOptions): AlertCondition | undefined {
  const metric = options.metric ?? current?.metric;
  if (metric === undefined) return undefined;
  const kept: Rest = metric === current?.metric ? current : {};
  const of = <T>(said: Said<T> | undefined, before: T | undefined): T | undefined => (said === USUAL ? undefined : (said ?? before));
  const scope = (said: string | undefined, all: true | undefined, before: string | undefined): string | undefined => said ?? (all === true ? undefined : before);
  return present({
    metric,
    above: of(options.above, kept.above),
    percentile: of(options.percentile, kept.percentile),
    window_s: of(options.window, kept.window_s),
    min_requests: of(options.minRequests, kept.min_requests),
    for_s: of(options.for, kept.for_s),
    clear_s: of(options.clear, kept.clear_s),
    tenant: scope(options.tenant, options.allTenants, kept.tenant),
    key: scope(options.key, options.allKeys, kept.key),
    model: scope(options.model, options.allModels, kept.model),
  });
}

/** A part each, as one types it: `latency_ms`, `above 4000`, `window 5m`. */
export function conditionWords({ metric, above, percentile, window_s: windowS, min_requests: minRequests, for_s: forS, clear_s: clearS, tenant, key, model }: AlertCondition): string[] {
  const said = { above, percentile, window: words(windowS), 'min-requests': minRequests, for: words(forS), clear: words(clearS), tenant, key, model };
  return [metric, ...Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))];
}

const words = (seconds: number | undefined): string | undefined => (seconds === undefined ? undefined : secondsWords(seconds));

/** A number, or a share as percent: `4000`, `0.8`, `80%`. */
export function parseThreshold(text: string): number {
  const match = /^(-?\d{1,15}(?:\.\d{1,15})?)(%?)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('write a number, as 4000 or 0.8, a share as 80%, or default');
  return match[2] === '%' ? Number(`${match[1]}e-2`) : Number(match[1]);
}

/** The value, or `default`. */
export const orUsual = <T>(parse: (text: string) => T) => (text: string): Said<T> => (text === USUAL ? USUAL : parse(text));

/** A whole number from 0 on. */
export function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('write a whole number from 0 on, or default');
  return Number(text);
}

export function parsePercentile(text: string): number {
  const percentile = Number(text.replace(/^p/, ''));
  if (!(percentile > 0 && percentile < 100)) throw new InvalidArgumentError('write a percentile, as 95 or 99.9, or default');
  return percentile;
}

const present = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
