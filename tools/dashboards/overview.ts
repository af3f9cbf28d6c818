import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { figure, heading, lines, rows } from './panels.ts';
import { asAnySays, grown, orNone, orZero, perSecond, quantile } from './promql.ts';

const REQUESTS = 'deja_gateway_requests_total';
const DURATION = 'deja_gateway_request_duration';

/** Whether all is well, and where to look if not. */
export const overview = (): Dashboard =>
  dashboard({
    uid: 'deja-overview',
    title: 'overview',
    description: 'Whether all is well, for those who ask and for deja itself. What is not green leads to another dashboard, and to a section of docs/runbooks.md.',
    content: [heading('Is it well?'), ...wellness(), heading('Requests'), ...requests(), heading('Parts of deja'), ...parts()],
  });

const wellness = () => [
  figure({ title: 'Requests a second', description: 'All client requests that ended. A sudden fall with no failures: look whether clients reach the gateways at all.', unit: 'reqps', queries: [{ expr: orZero(perSecond(REQUESTS)), legend: 'requests' }], decimals: 1 }),
  figure({ title: 'Failed, last 5 min', leadsTo: 'deja-providers', description: 'Share of requests that clients did not get an answer to through no fault of theirs. The objective is 0.1 %. See “Failures by code” below, then the dashboard of providers.', unit: 'percentunit', queries: [{ expr: 'deja:failed_requests:ratio_rate5m', legend: 'failed' }], warnAt: 0.001, badAt: 0.01, decimals: 2 }),
  figure({ title: 'Error budget burn, 1 h', description: 'How fast the budget of failures is used up: at 1 it lasts exactly 30 days, at 14.4 two days. From 14.4 on somebody is paged (DejaErrorBudgetBurnsFast).', unit: 'none', queries: [{ expr: 'deja:failed_requests:ratio_rate1h / scalar(deja:failed_requests:objective)', legend: 'burn' }], warnAt: 1, badAt: 14.4, decimals: 1 }),
  figure({ title: 'Added latency, p99', leadsTo: 'deja-latency', description: 'What deja itself took before the first byte of an answer, without waiting for a provider. Too much: the dashboard of latency says which stage.', unit: 's', queries: [{ expr: 'deja:added_duration:quantile_5m{quantile="0.99"}', legend: 'p99' }], warnAt: 0.05, badAt: 0.25 }),
  figure({ title: 'Hit rate', leadsTo: 'deja-cache', description: 'Share of requests that a cache answered, of those a cache was asked for. What they saved is on the dashboard of cost.', unit: 'percentunit', queries: [{ expr: 'deja:cache_hits:ratio_rate5m', legend: 'hits' }], decimals: 1 }),
  figure({ title: 'Alerts firing', description: 'Rules of Prometheus about deja. Each has a section in docs/runbooks.md.', unit: 'none', queries: [{ expr: orZero('count(ALERTS{alertname=~"Deja.*", alertstate="firing"})'), legend: 'firing' }], warnAt: 1, badAt: 3 }),
  figure({ title: 'Spent', leadsTo: 'deja-cost', description: 'US dollars for upstream calls in the time shown. The ledger is exact, this is near: a counter’s first value after a start is not counted.', unit: 'currencyUSD', queries: [{ expr: orZero(grown('deja_gateway_cost_usd_total')), legend: 'spent' }] }),
  figure({ title: 'Saved', leadsTo: 'deja-cost', description: 'What cached answers would have cost, in the time shown.', unit: 'currencyUSD', queries: [{ expr: orZero(grown('deja_gateway_saved_usd_total')), legend: 'saved' }] }),
  figure({ title: 'In flight', description: 'Client requests being handled at this moment, of all gateways. It follows traffic times duration; when it grows while traffic does not, providers are slow.', unit: 'none', queries: [{ expr: 'sum(deja_gateway_in_flight)', legend: 'in flight' }] }),
  figure({ title: 'Set aside', leadsTo: 'deja-providers', description: 'Deployments and credentials out of rotation. One rate-limited credential is daily life; what is rejected, exhausted or forbidden needs a person.', unit: 'none', queries: [{ expr: orZero('sum(max by (trouble) (deja_router_unavailable_deployments)) + sum(max by (trouble) (deja_router_unavailable_credentials))'), legend: 'set aside' }], warnAt: 1, badAt: 5 }),
  figure({ title: 'Ledger behind by', leadsTo: 'deja-internals', description: 'Age of the oldest usage record that waits. Nothing is lost while it grows, but budgets and bills lag: see internals.', unit: 's', queries: [{ expr: asAnySays('deja_usage_queue_lag'), legend: 'lag' }], warnAt: 30, badAt: 120 }),
  figure({ title: 'Unaccounted', leadsTo: 'deja-internals', description: 'Operations and sums that gateways, queue and ledger do not agree on. Should be 0 (DejaLedgerDrift).', unit: 'none', queries: [{ expr: 'sum(max by (what) (deja_usage_drift))', legend: 'drift' }], warnAt: 1, badAt: 1 }),
];

const requests = () => [
  lines({ title: 'Requests by outcome', description: 'ok; error; cancelled: the client left; blocked: a content rule refused.', unit: 'reqps', stacked: true, queries: [{ expr: perSecond(REQUESTS, 'outcome'), legend: '{{outcome}}' }] }),
  lines({ title: 'Requests by cache', description: 'HIT-EXACT, HIT-SEMANTIC, MISS, BYPASS (not to be cached), none (refused before).', unit: 'reqps', stacked: true, queries: [{ expr: perSecond(REQUESTS, 'cache'), legend: '{{cache}}' }] }),
  lines({ title: 'Failures by code', leadsTo: 'deja-providers', description: 'Everything that was not ok, by deja’s error code (docs/api.md#errors). upstream_… and no_deployment_available: the dashboard of providers. overloaded: routers or Redis. rate_limit_exceeded, budget_exceeded: the dashboard of tenants. too many: refused before anything was done for them, and in no other graph here (DejaGatewayOverloaded, internals).', unit: 'reqps', stacked: true, queries: [{ expr: orNone(perSecond(REQUESTS, 'error', 'outcome!="ok"'), 'error'), legend: '{{error}}' }, { expr: perSecond('deja_gateway_overload_refused_total', 'priority'), legend: 'too many: {{priority}}' }] }),
  lines({ title: 'Rate by endpoint', description: 'What clients call.', unit: 'reqps', queries: [{ expr: perSecond(REQUESTS, 'endpoint'), legend: '{{endpoint}}' }] }),
  lines({ title: 'Failed share by endpoint', description: 'Share of requests that failed through no fault of the client.', unit: 'percentunit', warnAt: 0.001, badAt: 0.01, queries: [{ expr: 'deja:failed_requests:rate5m / deja:requests:rate5m', legend: '{{endpoint}}' }] }),
  lines({ title: 'Duration by endpoint, p95', leadsTo: 'deja-latency', description: 'From receiving a request to its settlement, with the provider’s time and the whole stream. Points are single requests: click one for its trace.', unit: 's', exemplars: true, queries: [{ expr: quantile(0.95, DURATION, 'endpoint'), legend: '{{endpoint}}' }] }),
];

const parts = () => [
  lines({ title: 'Replicas up', description: 'Processes that answer when they are scraped. Fewer than you run: look at their logs, then docs/runbooks.md.', unit: 'none', width: 6, decimals: 0, queries: [{ expr: 'sum by (job) (up{job=~"gateway|router|semantic-cache|usage-worker"})', legend: '{{job}}' }] }),
  lines({ title: 'Requests by gateway', description: 'Whether the load balancer spreads them. One line at 0 is a gateway that is up and gets nothing.', unit: 'reqps', width: 6, queries: [{ expr: perSecond(REQUESTS, 'instance'), legend: '{{instance}}' }] }),
  lines({ title: 'Event loop delay', description: 'How late timers are, p99 between two scrapes. Above 0.1 s everything that process does waits: add replicas.', unit: 's', width: 6, warnAt: 0.1, badAt: 0.5, queries: [{ expr: 'max by (job) (nodejs_eventloop_delay_p99)', legend: '{{job}}' }] }),
  rows({ title: 'Versions', description: 'How many replicas run which version. Two of an app, for longer than an upgrade takes, is one that was forgotten.', unit: 'none', width: 6, queries: [{ expr: 'count by (app, version) (group by (app, version, job, instance) (deja_build_info))', legend: 'replicas' }] }),
  figure({ title: 'Routing heard', description: 'Seconds since a gateway last heard of any router; 0 while one is heard. From stale_ok_s (60) on, requests are refused.', unit: 's', width: 4, queries: [{ expr: 'max(deja_gateway_routing_stale)', legend: 'stale' }], warnAt: 5, badAt: 30 }),
  figure({ title: 'Limits without Redis', description: 'Gateways that decide limits and budgets without Redis, because it is away or slow: docs/limits.md#without-redis.', unit: 'none', width: 4, queries: [{ expr: 'sum(deja_gateway_limits_degraded)', legend: 'gateways' }], warnAt: 1, badAt: 1 }),
  figure({ title: 'On gateways’ disks', description: 'Usage records that Redis did not take. They are replayed by themselves when it does.', unit: 'bytes', width: 4, queries: [{ expr: 'sum(deja_gateway_usage_spool_bytes)', legend: 'spool' }], warnAt: 1, badAt: 1e9 }),
  figure({ title: 'Usage lost', description: 'Records that neither Redis nor a disk took, in the time shown. Should be 0, ever (DejaUsageLost).', unit: 'none', width: 4, queries: [{ expr: grown('deja_gateway_usage_lost_total'), legend: 'lost' }], warnAt: 1, badAt: 1, decimals: 0 }),
  figure({ title: 'Semantic answers stopped', leadsTo: 'deja-cache', description: 'Tenants and models whose semantic answers are stopped, because too many were found wrong: the dashboard of cache quality.', unit: 'none', width: 4, queries: [{ expr: orZero('sum(max by (tenant, model) (deja_semantic_cache_stopped))'), legend: 'stopped' }], warnAt: 1, badAt: 1 }),
  figure({ title: 'Alerts are evaluated', description: 'Whether a usage-worker evaluates deja’s own alerts (docs/alerts.md). 0: nobody does (DejaNobodyEvaluatesAlerts).', unit: 'none', width: 4, queries: [{ expr: 'sum(deja_usage_alerts_evaluator)', legend: 'evaluators' }], warnAt: 1, lessIsWorse: true, words: { 0: 'nobody', 1: 'yes' }, leadsTo: 'deja-internals' }),
];
