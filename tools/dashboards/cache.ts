import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { bars, figure, heading, lines, states } from './panels.ts';
import { asAnySays, grown, grownIn, orNone, orZero, perSecond, quantile } from './promql.ts';

const REQUESTS = 'deja_gateway_requests_total';
const LOOKUPS = 'deja_semantic_cache_lookups_total';
const WRONG = 'deja_semantic_cache_wrong_rate';
const CHOSEN = 'tenant=~"$tenant", model=~"$model"';

/** Whether the caches answer enough, and rightly. */
export const cache = (): Dashboard =>
  dashboard({
    uid: 'deja-cache',
    title: 'cache quality',
    description: 'Whether the caches answer enough, and rightly: hits, why others missed, how many semantic answers were found wrong, and what was done about it (docs/caching.md).',
    choices: [
      { name: 'tenant', title: 'Tenant', metric: WRONG, label: 'tenant' },
      { name: 'model', title: 'Model', metric: WRONG, label: 'model' },
    ],
    content: [heading('Hits'), ...hits(), heading('Why not'), ...misses(), heading('Are they right?'), ...quality(), heading('The index'), ...index()],
  });

const hits = () => [
  figure({ title: 'Hit rate', description: 'Hits of both caches among hits and misses.', unit: 'percentunit', queries: [{ expr: 'deja:cache_hits:ratio_rate5m', legend: 'hits' }], decimals: 1 }),
  figure({ title: 'Exact', description: 'The same request again.', unit: 'percentunit', queries: [{ expr: hitShare('HIT-EXACT'), legend: 'exact' }], decimals: 1 }),
  figure({ title: 'Semantic', description: 'The same question in other words.', unit: 'percentunit', queries: [{ expr: hitShare('HIT-SEMANTIC'), legend: 'semantic' }], decimals: 1 }),
  figure({ title: 'Worst wrong rate', description: 'The highest best estimate of any tenant and model that is shown. Above what max_wrong_rate allows, the cache holds back by itself.', unit: 'percentunit', queries: [{ expr: orZero(`max(${WRONG}{bound="rate", ${CHOSEN}})`), legend: 'wrong' }], warnAt: 0.01, badAt: 0.05, decimals: 2 }),
  figure({ title: 'Stopped', description: 'Tenants and models whose semantic answers are stopped. npx deja cache stats says which; DejaSemanticCacheStopped in docs/runbooks.md what to do.', unit: 'none', queries: [{ expr: orZero(`sum(max by (tenant, model) (deja_semantic_cache_stopped{${CHOSEN}}))`), legend: 'stopped' }], warnAt: 1, badAt: 1 }),
  figure({ title: 'Entries', description: 'Questions in the semantic index.', unit: 'short', queries: [{ expr: asAnySays('deja_semantic_cache_entries'), legend: 'entries' }] }),
  lines({ title: 'Requests by cache', description: 'none: refused before a cache was asked. BYPASS: not to be cached, by header or policy.', unit: 'reqps', width: 12, stacked: true, queries: [{ expr: perSecond(REQUESTS, 'cache'), legend: '{{cache}}' }] }),
  lines({ title: 'Hit rate over time', description: 'A step down after a release of a client: it has put something that changes (a date, an id) into its prompts.', unit: 'percentunit', width: 12, max: 1, queries: [{ expr: hitShare('HIT-EXACT'), legend: 'exact' }, { expr: hitShare('HIT-SEMANTIC'), legend: 'semantic' }] }),
];

const misses = () => [
  lines({ title: 'Look-ups of the semantic cache by outcome', description: 'hit, audit, or the reason of the miss (docs/caching.md#x-cache-reason). no_entry, no_candidate: nobody asked before. not_verified: near, and not known to be the same. too_risky: the bound on wrong answers had no room.', unit: 'reqps', width: 12, stacked: true, queries: [{ expr: perSecond(LOOKUPS, 'outcome'), legend: '{{outcome}}' }] }),
  bars({ title: 'Outcomes in the time shown', description: 'Whole requests that were not eligible at all are in npx deja cache stats, which counts reasons of all requests.', unit: 'short', width: 6, queries: [{ expr: `sort_desc(${grown(LOOKUPS, 'outcome')})`, legend: '{{outcome}}' }] }),
  lines({ title: 'Look-ups that could not be made', description: 'The embedder or the index is away, or the answer came too late. Requests went on as misses. Calls that gateways gave up are on the dashboard of internals.', unit: 'reqps', width: 6, queries: [{ expr: orNone(perSecond(LOOKUPS, 'outcome', 'outcome=~"embedder_unavailable|index_unavailable|too_late"'), 'outcome'), legend: '{{outcome}}' }] }),
];

const quality = () => [
  lines({ title: 'Wrong semantic answers: best estimate', description: 'Share of semantic answers found wrong by audits, judges and feedback, by tenant and model. Only where there is evidence.', unit: 'percentunit', queries: [{ expr: orNone(asAnySays(WRONG, 'tenant, model', `bound="rate", ${CHOSEN}`), 'tenant'), legend: '{{tenant}} {{model}}' }] }),
  lines({ title: 'Wrong semantic answers: 95 % interval', description: 'What is known of the chosen ones: the true rate is between low and high. A wide interval is little evidence: raise cache.semantic.audit.share for a while.', unit: 'percentunit', queries: [{ expr: orNone(asAnySays(WRONG, 'tenant, model, bound', `bound!="rate", ${CHOSEN}`), 'tenant'), legend: '{{tenant}} {{model}} {{bound}}' }] }),
  states({ title: 'Stopped', description: 'When semantic answers of a tenant and model were stopped. It lasts until evidence says otherwise: look at what audits found, take back what is wrong (cache invalidate), or lower the risk (cache policy of the tenant).', width: 8, words: [{ word: 'serving', color: 'green' }, { word: 'stopped', color: 'red' }], queries: [{ expr: orNone(`1 + max by (tenant, model) (deja_semantic_cache_stopped{${CHOSEN}})`, 'tenant'), legend: '{{tenant}} {{model}}' }] }),
  lines({ title: 'Audits', description: 'Cached answers compared with a fresh one of the provider: same, different, undecided. In the last hour.', unit: 'short', queries: [{ expr: orNone(grownIn('1h', 'deja_semantic_cache_audits_total', 'outcome'), 'outcome'), legend: '{{outcome}}' }] }),
  lines({ title: 'Feedback', description: 'What operators said of cached answers by the admin API (npx deja cache feedback), in the last hour.', unit: 'short', queries: [{ expr: orNone(grownIn('1h', 'deja_gateway_cache_feedback_total', 'correct'), 'correct'), legend: 'correct: {{correct}}' }] }),
  lines({ title: 'Judge', description: 'What the judge model said, by what it compared, in the last hour. none: no answer in time. 0 where no judge is configured.', unit: 'short', queries: [{ expr: grownIn('1h', 'deja_gateway_judge_verdicts_total', 'compared, verdict'), legend: '{{compared}} {{verdict}}' }] }),
];

const index = () => [
  lines({ title: 'Entries', description: 'In memory every replica has all of them, of Qdrant as many as the last sweep counted. One replica with fewer is still reading the log.', unit: 'short', queries: [{ expr: 'deja_semantic_cache_entries', legend: '{{instance}}' }] }),
  lines({ title: 'Stores and invalidations', description: 'Answers that were to be indexed, and those taken back, by outcome.', unit: 'ops', queries: [{ expr: orNone(perSecond('deja_semantic_cache_stores_total', 'outcome'), 'outcome'), legend: 'store: {{outcome}}' }, { expr: orNone(perSecond('deja_semantic_cache_invalidations_total', 'outcome'), 'outcome'), legend: 'take back: {{outcome}}' }] }),
  lines({ title: 'Look-up duration', description: 'Inside the semantic-cache. Above 50 ms gateways come near their deadline of 200 ms: more replicas, or Qdrant.', unit: 's', warnAt: 0.05, badAt: 0.15, queries: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, 'deja_semantic_cache_lookup_duration'), legend: `p${q * 100}` })) }),
];

function hitShare(kind: string): string {
  return `(${orZero(perSecond(REQUESTS, '', `cache="${kind}"`))}) / ${perSecond(REQUESTS, '', 'cache=~"HIT-.*|MISS"')}`;
}
