import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { bars, figure, heading, lines, rows } from './panels.ts';
import { grown, grownIn, orNone, orZero, perSecond } from './promql.ts';

const COST = 'deja_gateway_cost_usd_total';
const SAVED = 'deja_gateway_saved_usd_total';
const TOKENS = 'gen_ai_client_token_usage_sum';
const UNPRICED = 'deja_gateway_unpriced_attempts_total';
const CHOSEN = 'provider=~"$provider", model=~"$model"';
const CHOSEN_UPSTREAM = 'deja_provider=~"$provider", gen_ai_request_model=~"$model"';

/** Where each dollar goes, and which were not spent. */
export const cost = (): Dashboard =>
  dashboard({
    uid: 'deja-cost',
    title: 'cost and savings',
    description: 'Where each dollar goes, and which were not spent. These figures are near and quick; the ledger is exact (npx deja usage --by day,model). By tenant: the dashboard of tenants.',
    from: 'now-24h',
    choices: [
      { name: 'provider', title: 'Provider', metric: COST, label: 'provider' },
      { name: 'model', title: 'Upstream model', metric: COST, label: 'model' },
    ],
    content: [heading('In the time shown'), ...sums(), heading('Spending'), ...spending(), heading('Savings'), ...savings(), heading('Tokens'), ...tokens(), heading('Not priced, not allowed'), ...exceptions()],
  });

const sums = () => [
  figure({ title: 'Spent', description: 'US dollars for upstream calls, retries, shadows and judges included.', unit: 'currencyUSD', queries: [{ expr: orZero(grown(COST, '', CHOSEN)), legend: 'spent' }] }),
  figure({ title: 'Saved', description: 'What cached answers would have cost at the price of their original.', unit: 'currencyUSD', queries: [{ expr: orZero(grown(SAVED)), legend: 'saved' }] }),
  figure({ title: 'Saved share', description: 'Of what all of it would have cost without a cache. Low with many repeats: see the reasons of misses on the dashboard of cache quality.', unit: 'percentunit', queries: [{ expr: savedShare(orZero(grown(SAVED)), orZero(grown(COST))), legend: 'saved' }], decimals: 1 }),
  figure({ title: 'Spent an hour, now', description: 'At the rate of the last ten minutes.', unit: 'currencyUSD', queries: [{ expr: orZero(`3600 * sum(rate(${COST}{${CHOSEN}}[10m]))`), legend: 'an hour' }] }),
  figure({ title: 'A month at that rate', description: '30 days like the time shown. Your budgets of tenants and keys bound it: npx deja budgets list.', unit: 'currencyUSD', queries: [{ expr: orZero(`2592000 / $__range_s * ${grown(COST, '', CHOSEN)}`), legend: 'a month' }] }),
  figure({ title: 'Calls without a price', description: 'Upstream calls whose cost nobody knows: they count 0 here and in budgets. Give the model a price in deja.yaml, then npx deja ledger reprice --only-unpriced.', unit: 'none', queries: [{ expr: orZero(grown(UNPRICED)), legend: 'calls' }], warnAt: 1, badAt: 100, decimals: 0 }),
];

const spending = () => [
  lines({ title: 'Dollars an hour by model', description: 'A model that nobody expected here is a client’s mistake, or a fallback that has become the rule.', unit: 'currencyUSD', width: 12, stacked: true, queries: [{ expr: `3600 * (${orNone(perSecond(COST, 'model', CHOSEN), 'model')})`, legend: '{{model}}' }] }),
  lines({ title: 'Dollars an hour by provider', description: 'Where the bills come from.', unit: 'currencyUSD', width: 12, stacked: true, queries: [{ expr: `3600 * (${orNone(perSecond(COST, 'provider', CHOSEN), 'provider')})`, legend: '{{provider}}' }] }),
  bars({ title: 'Spent by model', description: 'The ten dearest in the time shown.', unit: 'currencyUSD', queries: [{ expr: orNone(`topk(10, ${grown(COST, 'provider, model', CHOSEN)})`, 'provider'), legend: '{{provider}} {{model}}' }] }),
  lines({ title: 'Dollars per million tokens', description: 'What tokens really cost, input and output together. It falls when providers’ own caches work, and rises with long answers.', unit: 'currencyUSD', queries: [{ expr: `1e6 * ${perSecond(COST, 'model', CHOSEN)} / on (model) sum by (model) (label_replace(rate(${TOKENS}{${CHOSEN_UPSTREAM}}[$__rate_interval]), "model", "$1", "gen_ai_request_model", "(.*)"))`, legend: '{{model}}' }] }),
  lines({ title: 'Dollars per thousand requests', description: 'Of all requests, hits among them: what a cache brings shows here.', unit: 'currencyUSD', queries: [{ expr: `1000 * (${orZero(perSecond(COST))}) / ${perSecond('deja_gateway_requests_total')}`, legend: 'spent' }, { expr: `1000 * ((${orZero(perSecond(COST))}) + (${orZero(perSecond(SAVED))})) / ${perSecond('deja_gateway_requests_total')}`, legend: 'without a cache' }] }),
];

const savings = () => [
  lines({ title: 'Dollars saved an hour, by how', description: 'exact: the same request again. semantic: the same question in other words.', unit: 'currencyUSD', stacked: true, queries: [{ expr: `3600 * (${orNone(perSecond(SAVED, 'how'), 'how')})`, legend: '{{how}}' }] }),
  lines({ title: 'Dollars saved an hour, by model', description: 'Whose answers are worth keeping.', unit: 'currencyUSD', stacked: true, queries: [{ expr: `3600 * (${orNone(perSecond(SAVED, 'model'), 'model')})`, legend: '{{model}}' }] }),
  lines({ title: 'Saved share over time', description: 'Saved by what all of it would have cost.', unit: 'percentunit', max: 1, queries: [{ expr: savedShare(orZero(perSecond(SAVED)), orZero(perSecond(COST))), legend: 'saved' }] }),
];

const tokens = () => [
  lines({ title: 'Tokens a second, by direction', description: 'As providers count them.', unit: 'short', stacked: true, queries: [{ expr: orNone(perSecond(TOKENS, 'gen_ai_token_type', CHOSEN_UPSTREAM), 'gen_ai_token_type'), legend: '{{gen_ai_token_type}}' }] }),
  lines({ title: 'Tokens a second, by model', description: 'Input and output together.', unit: 'short', stacked: true, queries: [{ expr: orNone(perSecond(TOKENS, 'gen_ai_request_model', CHOSEN_UPSTREAM), 'gen_ai_request_model'), legend: '{{gen_ai_request_model}}' }] }),
  lines({ title: 'Tokens of a call, mean', description: 'Prompts that grow without end are conversations that nobody cuts.', unit: 'short', queries: [{ expr: `${perSecond(TOKENS, 'gen_ai_token_type', CHOSEN_UPSTREAM)} / ${perSecond('gen_ai_client_token_usage_count', 'gen_ai_token_type', CHOSEN_UPSTREAM)}`, legend: '{{gen_ai_token_type}}' }] }),
];

const exceptions = () => [
  rows({ title: 'Without a price', description: 'Calls in the time shown, by provider and model. Each needs a price in deja.yaml (prices), then npx deja ledger reprice --only-unpriced.', unit: 'none', width: 8, queries: [{ expr: orNone(`sum by (provider, model) (increase(${UNPRICED}[$__range]))`, 'provider'), legend: 'calls' }] }),
  lines({ title: 'Budgets crossed', description: 'Budgets that were seen to have 80 or 100 % spent, in the last hour. The log of the gateway says whose.', unit: 'none', decimals: 0, queries: [{ expr: orNone(grownIn('1h', 'deja_gateway_budgets_crossed_total', 'scope, percent'), 'scope'), legend: '{{scope}} {{percent}} %' }] }),
  lines({ title: 'Refused: over budget', description: 'Requests a second that a hard budget refused.', unit: 'reqps', queries: [{ expr: perSecond('deja_gateway_limits_decisions_total', '', 'outcome="over_budget"'), legend: 'over budget' }] }),
];

/** Of what all would have cost; 0 where nothing was spent or saved. */
const savedShare = (saved: string, spent: string): string => orZero(`(${saved}) / ((${saved}) + (${spent}) > 0)`);
