import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { bars, figure, heading, lines, rows } from './panels.ts';
import { asAnySays, grown, grownIn, orNone, orZero, perSecond } from './promql.ts';

const REQUESTS = 'deja_gateway_tenant_requests_total';
const TOKENS = 'deja_gateway_tenant_tokens_total';
const COST = 'deja_gateway_tenant_cost_usd_total';
const SAVED = 'deja_gateway_tenant_saved_usd_total';
const REFUSED = 'deja_gateway_limits_refused_total';
const TENANT = 'tenant=~"$tenant"';

/** Who uses it, what it costs them, and who is refused. */
export const tenants = (): Dashboard =>
  dashboard({
    uid: 'deja-tenants',
    title: 'tenants',
    description: 'Who uses it, what it costs them, and who is refused. At most DEJA_METRICS_TENANTS names (100); what comes later is “other”. By key, user or tag: npx deja usage --by key.',
    choices: [{ name: 'tenant', title: 'Tenant', metric: REQUESTS, label: 'tenant' }],
    content: [heading('In the time shown'), ...sums(), heading('Use'), ...use(), heading('Money'), ...money(), heading('Limits and budgets'), ...limits()],
  });

const sums = () => [
  figure({ title: 'Tenants seen', description: 'With a request in the time shown.', unit: 'none', queries: [{ expr: orZero(`count(sum by (tenant) (increase(${REQUESTS}{${TENANT}}[$__range])) > 0)`), legend: 'tenants' }] }),
  figure({ title: 'Requests', description: 'Of the chosen tenants.', unit: 'short', queries: [{ expr: orZero(grown(REQUESTS, '', TENANT)), legend: 'requests' }], decimals: 0 }),
  figure({ title: 'Spent', description: 'What the requests of the chosen tenants cost; shadows and judges are nobody’s.', unit: 'currencyUSD', queries: [{ expr: orZero(grown(COST, '', TENANT)), legend: 'spent' }] }),
  figure({ title: 'Saved', description: 'What cached answers would have cost them.', unit: 'currencyUSD', queries: [{ expr: orZero(grown(SAVED, '', TENANT)), legend: 'saved' }] }),
  figure({ title: 'Errors', description: 'Share of requests that were not ok, refusals by limits among them.', unit: 'percentunit', queries: [{ expr: orZero(`(${orZero(grown(REQUESTS, '', `outcome="error", ${TENANT}`))}) / (${grown(REQUESTS, '', TENANT)} > 0)`), legend: 'errors' }], warnAt: 0.05, badAt: 0.25, decimals: 1 }),
  figure({ title: 'Refused', description: 'By any limit or budget, of all tenants.', unit: 'none', queries: [{ expr: orZero(grown(REFUSED)), legend: 'refused' }], warnAt: 1, badAt: 1000, decimals: 0 }),
];

const use = () => [
  lines({ title: 'Requests by tenant', description: 'The ten busiest.', unit: 'reqps', stacked: true, queries: [{ expr: orNone(`topk(10, ${perSecond(REQUESTS, 'tenant', TENANT)})`, 'tenant'), legend: '{{tenant}}' }] }),
  lines({ title: 'Errors by tenant', description: 'Share of a tenant’s requests that were not ok. One tenant alone: its key, its limits or its requests. All of them: the overview.', unit: 'percentunit', max: 1, queries: [{ expr: share(REQUESTS, 'outcome="error"'), legend: '{{tenant}}' }] }),
  lines({ title: 'Hit rate by tenant', description: 'Of those a cache was asked for. What keeps it low: npx deja cache stats --tenant ….', unit: 'percentunit', max: 1, queries: [{ expr: share(REQUESTS, 'cache=~"HIT-.*"', 'cache=~"HIT-.*|MISS"'), legend: '{{tenant}}' }] }),
  lines({ title: 'Tokens a second by tenant', description: 'Bought, input and output together.', unit: 'short', queries: [{ expr: orNone(`topk(10, ${perSecond(TOKENS, 'tenant', TENANT)})`, 'tenant'), legend: '{{tenant}}' }] }),
  lines({ title: 'Tokens a second by direction', description: 'Of the chosen tenants.', unit: 'short', stacked: true, queries: [{ expr: orNone(perSecond(TOKENS, 'direction', TENANT), 'direction'), legend: '{{direction}}' }] }),
  rows({
    title: 'Each tenant', description: 'In the time shown. Bills come from the ledger: npx deja usage invoice.', unit: 'none', width: 8, units: { USD: 'currencyUSD', saved: 'currencyUSD', tokens: 'short', requests: 'short' },
    queries: [{ expr: grown(REQUESTS, 'tenant', TENANT), legend: 'requests' }, { expr: grown(TOKENS, 'tenant', TENANT), legend: 'tokens' }, { expr: grown(COST, 'tenant', TENANT), legend: 'USD' }, { expr: grown(SAVED, 'tenant', TENANT), legend: 'saved' }],
  }),
];

const money = () => [
  lines({ title: 'Dollars an hour by tenant', description: 'The ten dearest. A step up that nobody announced: npx deja usage --by key,model --tenant ….', unit: 'currencyUSD', stacked: true, queries: [{ expr: orNone(`topk(10, 3600 * ${perSecond(COST, 'tenant', TENANT)})`, 'tenant'), legend: '{{tenant}}' }] }),
  lines({ title: 'Dollars saved an hour by tenant', description: 'The ten who save most.', unit: 'currencyUSD', stacked: true, queries: [{ expr: orNone(`topk(10, 3600 * ${perSecond(SAVED, 'tenant', TENANT)})`, 'tenant'), legend: '{{tenant}}' }] }),
  bars({ title: 'Spent by tenant', description: 'The ten dearest in the time shown.', unit: 'currencyUSD', queries: [{ expr: orNone(`topk(10, ${grown(COST, 'tenant', TENANT)})`, 'tenant'), legend: '{{tenant}}' }] }),
];

const limits = () => [
  lines({ title: 'Refused by scope and limit', description: 'Whose limit it was (global, tenant, key, user) and which one. The log and npx deja requests list --error-code rate_limit_exceeded say who; raise it with npx deja keys update … --limit, or leave it: it does what it is for.', unit: 'reqps', width: 12, queries: [{ expr: orNone(perSecond(REFUSED, 'scope, limit'), 'scope'), legend: '{{scope}} {{limit}}' }] }),
  lines({ title: 'Decisions', description: 'Requests that any limit or budget applies to. undecidable: nobody could say, and the degraded mode is closed.', unit: 'reqps', width: 12, stacked: true, queries: [{ expr: perSecond('deja_gateway_limits_decisions_total', 'outcome'), legend: '{{outcome}}' }] }),
  lines({ title: 'Decided by', description: 'redis, or a degraded mode in its place (docs/limits.md#without-redis).', unit: 'reqps', queries: [{ expr: perSecond('deja_gateway_limits_decisions_total', 'by'), legend: '{{by}}' }] }),
  lines({ title: 'Budgets crossed, last hour', description: 'Budgets seen at 80 or 100 % spent. The gateway’s log says whose; npx deja budgets list how much is left.', unit: 'none', decimals: 0, queries: [{ expr: orNone(grownIn('1h', 'deja_gateway_budgets_crossed_total', 'scope, mode, percent'), 'scope'), legend: '{{scope}} {{mode}} {{percent}} %' }] }),
  lines({ title: 'Wrong semantic answers by tenant', description: 'Best estimate, of the worst model of each. More on the dashboard of cache quality.', unit: 'percentunit', queries: [{ expr: orNone(asAnySays('deja_semantic_cache_wrong_rate', 'tenant', `bound="rate", ${TENANT}`), 'tenant'), legend: '{{tenant}}' }] }),
];

/** Which share of a tenant's requests is of one kind; 0 for a tenant that has none. */
function share(counter: string, kind: string, among = ''): string {
  const all = perSecond(counter, 'tenant', among === '' ? TENANT : `${among}, ${TENANT}`);
  return `(${perSecond(counter, 'tenant', `${kind}, ${TENANT}`)} or 0 * ${all}) / ${all}`;
}
