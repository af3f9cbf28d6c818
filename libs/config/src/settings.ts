import type { Settings } from '@deja/contracts';
import { safetyRules } from '@deja/content-safety';
import type { FormProblem } from './form.ts';
import { outboundRule } from './outbound.ts';
import { overridesOf } from './price-schema.ts';
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
    prices: overridesOf(file.prices),
    capability: file.capability,
  };
}

function checkPauses([first, last]: [number, number], path: string[], problems: FormProblem[]): void {
  if (first > last) problems.push({ path, message: `the first pause must not be longer than the last: write [${last}, ${first}]` });
}
