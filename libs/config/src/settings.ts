import { nanoUsd, type Settings } from '@deja/contracts';
import { safetyRules } from '@deja/content-safety';
import type { FormProblem } from './form.ts';
import { outboundRule } from './outbound.ts';
import type { FileConfig } from './schema.ts';

/** What the gateways need of the file. Adds what is wrong with it to `problems`. */
export function settingsOf(file: FileConfig, problems: FormProblem[]): Settings {
  checkPauses(file.retries.backoff_ms, ['retries', 'backoff_ms'], problems);
  checkPauses(file.breaker.pause_ms, ['breaker', 'pause_ms'], problems);
  problems.push(...outboundRule(file.outbound.allow).problems.map(({ index, message }) => ({ path: ['outbound', 'allow', index], message })));
  const { rules, problems: safetyProblems } = safetyRules(file.content_safety);
  problems.push(...safetyProblems.map(({ path, message }) => ({ path: ['content_safety', ...path], message })));
  return {
    timeouts: file.timeouts,
    retries: file.retries,
    breaker: file.breaker,
    stale_ok_s: file.stale_ok_s,
    outbound: file.outbound,
    limits: file.limits,
    budgets: file.budgets,
    validation: file.validation,
    content_safety: rules,
    streams: file.streams,
    cache: {
      scope: file.cache.scope,
      exact: file.cache.exact,
      semantic: { ...file.cache.semantic, judge: file.cache.semantic.judge ?? null },
      pad_hits_ms: file.cache.pad_hits_ms,
    },
    capture: file.capture,
    request_log: { retention_days: file.retention_days, search: file.request_log.search },
    ledger: file.ledger,
    prices: Object.fromEntries(Object.entries(file.prices).map(([name, price]) => [name, priceOf(price)])),
    capability: file.capability,
  };
}

function checkPauses([first, last]: [number, number], path: string[], problems: FormProblem[]): void {
  if (first > last) problems.push({ path, message: `the first pause must not be longer than the last: write [${last}, ${first}]` });
}

/** Cached tokens cost what others cost where the file does not say: assuming less would be a guess in the user's favour. */
function priceOf(price: FileConfig['prices'][string]): Settings['prices'][string] {
  const input = nanoPerMillion(price.input_usd_per_million);
  return {
    input,
    cachedInput: price.cached_input_usd_per_million === undefined ? input : nanoPerMillion(price.cached_input_usd_per_million),
    cacheWrite: price.cache_write_usd_per_million === undefined ? input : nanoPerMillion(price.cache_write_usd_per_million),
    output: nanoPerMillion(price.output_usd_per_million),
    longContext: null,
  };
}

/** USD to integer nano-USD by way of decimal text: 0.075 is 75000000 exactly. */
function nanoPerMillion(usd: number): number {
  return Number(nanoUsd(usd.toFixed(9)));
}
