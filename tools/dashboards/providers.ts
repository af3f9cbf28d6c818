import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { figure, heading, lines, rows, states } from './panels.ts';
import { CREDENTIAL_STATES, DEPLOYMENT_STATES } from './pool-states.ts';
import { asAnySays, grown, grownIn, orNone, orZero, perSecond, quantile, stateNumber } from './promql.ts';

const ATTEMPTS = 'deja_gateway_attempts_total';
const REQUESTS = 'deja_gateway_requests_total';
const CALL = 'gen_ai_client_operation_duration';
const DEPLOYMENT = 'deployment=~"$deployment"';
const PROVIDER = 'deja_provider=~"$provider"';

/** Who answers, how well, and who is set aside. */
export const providers = (): Dashboard =>
  dashboard({
    uid: 'deja-providers',
    title: 'providers and pool',
    description: 'Who answers, how well, and who is set aside: upstream calls, their failures, credentials and deployments over time (docs/routing.md).',
    choices: [
      { name: 'provider', title: 'Provider', metric: `${CALL}_count`, label: 'deja_provider' },
      { name: 'deployment', title: 'Deployment', metric: ATTEMPTS, label: 'deployment' },
    ],
    content: [heading('Now'), ...now(), heading('In and out of rotation'), ...pool(), heading('Calls'), ...calls(), heading('What failures cost clients'), ...retries(), heading('How quick they are'), ...speed()],
  });

const now = () => [
  figure({ title: 'Calls a second', description: 'Upstream calls: attempts for clients, shadows, judges, moderations.', unit: 'reqps', queries: [{ expr: orZero(perSecond(ATTEMPTS, '', DEPLOYMENT)), legend: 'calls' }], decimals: 1 }),
  figure({ title: 'Calls that failed', description: 'Share of calls. Clients notice only what no other candidate could make good: see “Failed for clients”.', unit: 'percentunit', queries: [{ expr: failedCalls(''), legend: 'failed' }], warnAt: 0.02, badAt: 0.2, decimals: 1 }),
  figure({ title: 'Failed for clients', description: 'Share of requests that failed after all candidates were tried.', unit: 'percentunit', queries: [{ expr: 'deja:failed_requests:ratio_rate5m', legend: 'failed' }], warnAt: 0.001, badAt: 0.01, decimals: 2 }),
  figure({ title: '429 of providers', description: 'Calls a second that a provider refused because of a rate limit. More: raise the quota there, add credentials, or give yours limits in deja.yaml so that deja goes elsewhere first.', unit: 'reqps', queries: [{ expr: orZero(perSecond(ATTEMPTS, '', `error="provider_rate_limited", ${DEPLOYMENT}`)), legend: '429' }], warnAt: 0.1, badAt: 5 }),
  figure({ title: 'Deployments out', description: 'Set aside at the moment. npx deja deployments list says why, and until when.', unit: 'none', queries: [{ expr: orZero('sum(max by (trouble) (deja_router_unavailable_deployments))'), legend: 'deployments' }], warnAt: 1, badAt: 3 }),
  figure({ title: 'Credentials out', description: 'Set aside at the moment. rejected, exhausted and forbidden need a person: npx deja credentials list.', unit: 'none', queries: [{ expr: orZero('sum(max by (trouble) (deja_router_unavailable_credentials))'), legend: 'credentials' }], warnAt: 1, badAt: 3 }),
];

const pool = () => [
  states({ title: 'Deployments', description: 'The state of each deployment as routers publish it. failing: the breaker is open; it is tried again by itself (docs/routing.md#the-breaker). drained: somebody took it out (npx deja deployments resume).', words: DEPLOYMENT_STATES, queries: [{ expr: stateNumber('deja_router_deployment_state', 'deployment', words(DEPLOYMENT_STATES), DEPLOYMENT), legend: '{{deployment}}' }] }),
  states({ title: 'Credentials', description: 'The state of each credential. rate_limited passes by itself. exhausted: top up the account. rejected, forbidden: correct the value (npx deja credentials rotate).', words: CREDENTIAL_STATES, queries: [{ expr: stateNumber('deja_router_credential_state', 'provider, credential', words(CREDENTIAL_STATES), 'provider=~"$provider"'), legend: '{{provider}}/{{credential}}' }] }),
  lines({ title: 'Set aside, in the last 10 min', description: 'How often something was taken out of rotation, by what and why. A sawtooth is something that is tried again and fails again.', unit: 'short', width: 12, queries: [{ expr: orNone(grownIn('10m', 'deja_pool_set_aside_total', 'what, trouble'), 'what'), legend: '{{what}} {{trouble}}' }] }),
  lines({ title: 'Out at the moment, by trouble', description: 'As all routers say.', unit: 'none', width: 12, stacked: true, decimals: 0, queries: [{ expr: asAnySays('deja_router_unavailable_deployments', 'trouble'), legend: 'deployments {{trouble}}' }, { expr: asAnySays('deja_router_unavailable_credentials', 'trouble'), legend: 'credentials {{trouble}}' }] }),
];

const calls = () => [
  lines({ title: 'Calls by deployment', description: 'Who does the work. A canary’s share, or a fallback that has become the rule, shows here.', unit: 'reqps', stacked: true, queries: [{ expr: perSecond(ATTEMPTS, 'deployment', DEPLOYMENT), legend: '{{deployment}}' }] }),
  lines({ title: 'Failed share by deployment', description: 'Of its own calls. cancelled (the client left, or another call was faster) is none.', unit: 'percentunit', max: 1, warnAt: 0.05, badAt: 0.5, queries: [{ expr: failedCalls('deployment'), legend: '{{deployment}}' }] }),
  lines({ title: 'Failed calls by deployment and code', description: 'What they said (docs/routing.md#what-is-done-about-each-kind-of-failure). npx deja requests list --deployment … --outcome error has single ones.', unit: 'reqps', stacked: true, queries: [{ expr: orNone(perSecond(ATTEMPTS, 'deployment, error', `outcome="error", ${DEPLOYMENT}`), 'deployment'), legend: '{{deployment}} {{error}}' }] }),
  lines({ title: 'Calls by provider and outcome of the conventions', description: 'The same calls as OpenTelemetry counts them: by provider of the configuration and error type.', unit: 'reqps', queries: [{ expr: perSecond(`${CALL}_count`, 'deja_provider, error_type', PROVIDER), legend: '{{deja_provider}} {{error_type}}' }] }),
  lines({ title: 'Shadows', description: 'Copies of requests for shadow deployments; dropped: too many at once, or not to be put to it.', unit: 'reqps', queries: [{ expr: perSecond('deja_gateway_shadows_total', 'outcome'), legend: '{{outcome}}' }] }),
  rows({ title: 'Calls in the time shown', description: 'By deployment and outcome.', unit: 'none', width: 8, queries: [{ expr: grown(ATTEMPTS, 'deployment, outcome', DEPLOYMENT), legend: 'calls' }] }),
];

const retries = () => [
  lines({ title: 'Calls for each request that was bought', description: '1 without failures. The rest are retries, failovers, hedges and shadows: what they cost is paid twice.', unit: 'none', decimals: 2, queries: [{ expr: `${perSecond(ATTEMPTS)} / ${perSecond(REQUESTS, '', 'cache=~"MISS|BYPASS"')}`, legend: 'calls a request' }] }),
  lines({ title: 'Failed calls and failed requests', description: 'What lies between the lines is what retries and failovers made good.', unit: 'reqps', queries: [{ expr: orZero(perSecond(ATTEMPTS, '', 'outcome="error"')), legend: 'calls' }, { expr: 'sum(deja:failed_requests:rate5m)', legend: 'requests' }] }),
  lines({ title: 'Calls cancelled', description: 'The slower of a hedged pair, and calls whose client left. Hedges cost money: max_share bounds them.', unit: 'reqps', queries: [{ expr: orNone(perSecond(ATTEMPTS, 'deployment', `outcome="cancelled", ${DEPLOYMENT}`), 'deployment'), legend: '{{deployment}}' }] }),
];

const speed = () => [
  lines({ title: 'Time to first chunk by provider, p50', description: 'Of streams.', unit: 's', queries: [{ expr: quantile(0.5, 'gen_ai_client_operation_time_to_first_chunk', 'deja_provider', PROVIDER), legend: '{{deja_provider}}' }] }),
  lines({ title: 'Time to first chunk by provider, p95', description: 'Who is slow is asked less where the strategy is least_latency.', unit: 's', queries: [{ expr: quantile(0.95, 'gen_ai_client_operation_time_to_first_chunk', 'deja_provider', PROVIDER), legend: '{{deja_provider}}' }] }),
  lines({ title: 'Duration of calls by provider, p95', description: 'To their end. Points are single calls: click one for its trace.', unit: 's', exemplars: true, queries: [{ expr: quantile(0.95, CALL, 'deja_provider', PROVIDER), legend: '{{deja_provider}}' }] }),
];

function failedCalls(labels: string): string {
  const all = perSecond(ATTEMPTS, labels, DEPLOYMENT);
  return `(${perSecond(ATTEMPTS, labels, `outcome="error", ${DEPLOYMENT}`)} or 0 * ${all}) / ${all}`;
}

const words = (states: readonly { word: string }[]): string[] => states.map(({ word }) => word);
