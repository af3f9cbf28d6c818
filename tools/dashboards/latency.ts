import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { bars, figure, heading, heat, lines } from './panels.ts';
import { buckets, mean, perSecond, quantile } from './promql.ts';

const DURATION = 'deja_gateway_request_duration';
const FIRST_BYTE = 'deja_gateway_first_byte_duration';
const ADDED = 'deja_gateway_added_duration';
const STAGE = 'deja_gateway_stage_duration';
const CALL = 'gen_ai_client_operation_duration';
const FIRST_CHUNK = 'gen_ai_client_operation_time_to_first_chunk';
const ENDPOINT = 'endpoint=~"$endpoint"';
const UPSTREAM = 'gen_ai_request_model=~"$model", deja_provider=~"$provider"';

/** Where each millisecond goes. */
export const latency = (): Dashboard =>
  dashboard({
    uid: 'deja-latency',
    title: 'latency by stage',
    description: 'Where each millisecond goes: what clients wait, how much of it is deja’s, in which stage, and what providers take. Points on graphs are single requests: click one for its trace.',
    choices: [
      { name: 'endpoint', title: 'Endpoint', metric: 'deja_gateway_requests_total', label: 'endpoint' },
      { name: 'stage', title: 'Stage', metric: `${STAGE}_count`, label: 'stage' },
      { name: 'model', title: 'Upstream model', metric: `${CALL}_count`, label: 'gen_ai_request_model' },
      { name: 'provider', title: 'Provider', metric: `${CALL}_count`, label: 'deja_provider' },
    ],
    content: [heading('What clients wait'), ...clients(), heading('What deja adds'), ...added(), heading('Stages'), ...stages(), heading('Providers'), ...providers(), heading('Calls between the apps'), ...calls()],
  });

const clients = () => [
  figure({ title: 'First byte, p50', description: 'Half of the clients have the first byte of their answer by then.', unit: 's', queries: [{ expr: quantile(0.5, FIRST_BYTE, '', ENDPOINT), legend: 'p50' }] }),
  figure({ title: 'First byte, p95', description: 'One client in twenty waits longer. Mostly the provider: compare with time to first chunk below.', unit: 's', queries: [{ expr: quantile(0.95, FIRST_BYTE, '', ENDPOINT), legend: 'p95' }], warnAt: 5, badAt: 15 }),
  figure({ title: 'Whole request, p95', description: 'To the end of the answer, streams included.', unit: 's', queries: [{ expr: quantile(0.95, DURATION, '', ENDPOINT), legend: 'p95' }], warnAt: 30, badAt: 90 }),
  figure({ title: 'Added, p50', description: 'What deja takes of the time to the first byte, without providers. Usually 1 to 3 ms; a look-up in the semantic cache is part of it.', unit: 's', queries: [{ expr: quantile(0.5, ADDED, '', ENDPOINT), legend: 'p50' }], warnAt: 0.01, badAt: 0.05 }),
  figure({ title: 'Added, p99', description: 'The same for the slowest in a hundred. Above 50 ms: which stage is it, below?', unit: 's', queries: [{ expr: quantile(0.99, ADDED, '', ENDPOINT), legend: 'p99' }], warnAt: 0.05, badAt: 0.25 }),
  figure({ title: 'First chunk, p95', description: 'Of streams, what providers take until their first content.', unit: 's', queries: [{ expr: quantile(0.95, FIRST_CHUNK, '', UPSTREAM), legend: 'p95' }], warnAt: 5, badAt: 15 }),
  lines({ title: 'Time to the first byte', description: 'From receiving a request to the first byte of its answer.', unit: 's', exemplars: true, queries: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, FIRST_BYTE, '', ENDPOINT), legend: `p${q * 100}` })) }),
  lines({ title: 'Time to the first byte by cache, p95', description: 'Hits should be two orders of magnitude below misses.', unit: 's', queries: [{ expr: quantile(0.95, FIRST_BYTE, 'cache', ENDPOINT), legend: '{{cache}}' }] }),
  heat({ title: 'Duration of requests', description: 'How many requests took how long. Two bands are normal: what a cache answered, and what a provider did.', unit: 's', exemplars: true, queries: [{ expr: buckets(DURATION, ENDPOINT), legend: '{{le}}' }] }),
];

const added = () => [
  lines({ title: 'Added before the first byte', description: 'Time to the first byte less the time waited for a provider.', unit: 's', warnAt: 0.05, badAt: 0.25, queries: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, ADDED, '', ENDPOINT), legend: `p${q * 100}` })) }),
  lines({ title: 'Added by cache, p99', description: 'What a look-up costs those that miss, and what a hit takes altogether.', unit: 's', queries: [{ expr: quantile(0.99, ADDED, 'cache', ENDPOINT), legend: '{{cache}}' }] }),
  heat({ title: 'Added before the first byte, all of them', description: 'A band that moves up as a whole is a busy process; a second one is a stage that sometimes waits (Redis, a router, the semantic cache).', unit: 's', queries: [{ expr: buckets(ADDED, ENDPOINT), legend: '{{le}}' }] }),
];

const stages = () => [
  lines({ title: 'Time in each stage, on average', description: 'Where an average request spends its time. upstream is the provider; the others are deja. auth: an unknown key is asked of a router. reserve: one round trip to Redis. cache: a look-up. settle is after the answer.', unit: 's', width: 12, stacked: true, queries: [{ expr: mean(STAGE, 'stage', 'stage=~"$stage"'), legend: '{{stage}}' }] }),
  lines({ title: 'Time in each stage, p99', description: 'The slowest in a hundred. reserve: Redis is slow or far. auth: routers or Postgres are. cache: semantic-caches are busy (a look-up has 200 ms at most). validate, guard, plan: the processor is.', unit: 's', width: 12, queries: [{ expr: quantile(0.99, STAGE, 'stage', 'stage=~"$stage"'), legend: '{{stage}}' }] }),
  bars({ title: 'Share of each stage', description: 'Of all time that requests spent in deja and at providers, now.', unit: 'percentunit', decimals: 2, queries: [{ expr: `${perSecond(`${STAGE}_sum`, 'stage', 'stage=~"$stage"')} / on () group_left () ${perSecond(`${STAGE}_sum`, '', 'stage=~"$stage"')}`, legend: '{{stage}}' }] }),
  heat({ title: 'Time in the chosen stages', description: 'Choose one stage above.', unit: 's', queries: [{ expr: buckets(STAGE, 'stage=~"$stage"'), legend: '{{le}}' }] }),
  lines({ title: 'Look-ups of the semantic cache', description: 'Embedding, search, verification and decision, without the way there. More than some ms: the index has grown, or the processor is busy.', unit: 's', queries: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'deja_semantic_cache_lookup_duration'), legend: `p${q * 100}` })) }),
];

const providers = () => [
  lines({ title: 'Time to first chunk by model, p50', description: 'Streams: how long each model thinks before it speaks.', unit: 's', queries: [{ expr: quantile(0.5, FIRST_CHUNK, 'gen_ai_request_model, deja_provider', UPSTREAM), legend: '{{deja_provider}} {{gen_ai_request_model}}' }] }),
  lines({ title: 'Time to first chunk by model, p95', description: 'One model that is slower than it was is its provider’s matter: hedge it, or give it less weight (docs/routing.md).', unit: 's', queries: [{ expr: quantile(0.95, FIRST_CHUNK, 'gen_ai_request_model, deja_provider', UPSTREAM), legend: '{{deja_provider}} {{gen_ai_request_model}}' }] }),
  lines({ title: 'Duration of upstream calls by model, p95', description: 'One call from its start to its end, failed ones included. Points are single calls.', unit: 's', exemplars: true, queries: [{ expr: quantile(0.95, CALL, 'gen_ai_request_model, deja_provider', UPSTREAM), legend: '{{deja_provider}} {{gen_ai_request_model}}' }] }),
];

const calls = () => [
  lines({ title: 'Calls by method, p99', description: 'As the caller waits, with the way through Redis. resolve_key is for keys a gateway does not know yet; lookup is on the path of a request and has 200 ms.', unit: 's', queries: [{ expr: quantile(0.99, 'deja_transport_call_duration', 'service, method'), legend: '{{service}}.{{method}}' }] }),
  lines({ title: 'Handling by method, p99', description: 'The same calls inside the app that answers. What the callers’ graph has more is the way, or a queue before it.', unit: 's', queries: [{ expr: quantile(0.99, 'deja_transport_handling_duration', 'service, method'), legend: '{{service}}.{{method}}' }] }),
  lines({ title: 'Way and waiting, mean', description: 'Calls less handling, on average: Redis, and messages that wait for a busy replica. It grows before anything fails: add replicas of that app.', unit: 's', queries: [{ expr: `clamp_min(${mean('deja_transport_call_duration', 'service')} - ${mean('deja_transport_handling_duration', 'service')}, 0)`, legend: '{{service}}' }] }),
];
