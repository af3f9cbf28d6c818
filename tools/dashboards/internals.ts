import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard } from './dashboard.ts';
import { figure, heading, lines, rows } from './panels.ts';
import { asAnySays, grownIn, orNone, perSecond, quantile } from './promql.ts';

const PROCESS = 'job=~"$job", instance=~"$instance"';
const CALL = 'deja_transport_call_duration';

/** How deja itself is: processes, the bus between them, the way to the ledger, alerts. */
export const internals = (): Dashboard =>
  dashboard({
    uid: 'deja-internals',
    title: 'internals',
    description: 'How deja itself is: processes, what gateways take on and refuse, the calls between them, the way of figures and bodies to the ledger, who evaluates alerts.',
    choices: [
      { name: 'job', title: 'App', metric: 'process_memory_usage', label: 'job' },
      { name: 'instance', title: 'Replica', metric: 'process_memory_usage{job=~"$job"}', label: 'instance' },
    ],
    content: [heading('Processes'), ...processes(), heading('What gateways take on'), ...intake(), heading('Calls between the apps'), ...bus(), heading('The way to the ledger'), ...ledger(), heading('The request log'), ...captures(), heading('Routers'), ...routers(), heading('Alerts of deja’s own'), ...alerts()],
  });

const processes = () => [
  lines({ title: 'CPU', description: 'Cores used by each process. A gateway near 1 is at its end: one event loop uses one core. Add replicas, or workers.', unit: 'none', decimals: 2, warnAt: 0.8, badAt: 0.95, queries: [{ expr: perSecond('process_cpu_time_total', 'job, instance, worker', PROCESS), legend: '{{job}} {{instance}} {{worker}}' }] }),
  lines({ title: 'Event loop delay, p99', description: 'How late timers were. Everything in that process waits as long.', unit: 's', warnAt: 0.1, badAt: 0.5, queries: [{ expr: `nodejs_eventloop_delay_p99{${PROCESS}}`, legend: '{{job}} {{instance}} {{worker}}' }] }),
  lines({ title: 'Event loop utilisation', description: 'Share of time the event loop was busy. From 0.7 on latencies grow.', unit: 'percentunit', max: 1, warnAt: 0.7, badAt: 0.9, queries: [{ expr: `nodejs_eventloop_utilization{${PROCESS}}`, legend: '{{job}} {{instance}} {{worker}}' }] }),
  lines({ title: 'Memory', description: 'Resident. Gateways grow with streams that slow clients read, semantic-caches with entries. A line that only rises is worth a heap snapshot.', unit: 'bytes', queries: [{ expr: `process_memory_usage{${PROCESS}}`, legend: '{{job}} {{instance}} {{worker}}' }] }),
  lines({ title: 'Heap', description: 'JavaScript objects. Resident memory that grows while this does not is buffers, or models.', unit: 'bytes', queries: [{ expr: `v8js_memory_heap_used{${PROCESS}}`, legend: '{{job}} {{instance}} {{worker}}' }] }),
  lines({ title: 'Restarts, last hour', description: 'Of the same address, its workers too. More than an upgrade explains: look at the last lines of its log, and whether it was killed for memory.', unit: 'none', decimals: 0, queries: [{ expr: `sum by (job, instance) (resets(process_cpu_time_total{cpu_mode="user", ${PROCESS}}[1h]))`, legend: '{{job}} {{instance}}' }] }),
];

const GATEWAY = 'instance=~"$instance"';
const OF_PROCESS = '{{instance}} {{worker}}';

const intake = () => [
  lines({ title: 'Refused as too many', description: 'Requests refused before anything was done for them, by the bound they met and their priority (docs/overload.md). late: the event loop; in_flight: all there are; admin: calls of the admin API; untaken: no worker of a gateway of several processes took the connection within two seconds. bodies: those on their way in took all their memory. Interactive ones, for minutes: DejaGatewayOverloaded in docs/runbooks.md.', unit: 'reqps', stacked: true, queries: [{ expr: perSecond('deja_gateway_overload_refused_total', 'reason, priority', GATEWAY), legend: '{{reason}} {{priority}}' }, { expr: perSecond('deja_gateway_bodies_refused_total', '', GATEWAY), legend: 'bodies' }] }),
  lines({ title: 'Being prepared', description: 'Requests from the arrival of their body to their reservation, and how many there may be. The limit falls while the event loop is late, to 16 at least, and comes back within a second of calm. Those that wait for a provider are not among them: see “In flight” of the overview.', unit: 'none', decimals: 0, queries: [{ expr: `deja_gateway_overload_preparing{${GATEWAY}}`, legend: OF_PROCESS }, { expr: `deja_gateway_overload_limit{${GATEWAY}}`, legend: `limit ${OF_PROCESS}` }] }),
  lines({ title: 'Lateness of the event loop', description: 'The smallest of the last three looks, which decides on the limit. From DEJA_OVERLOAD_LATENESS_MS on, 50 ms unless set, for a second: fewer are prepared at once. With a utilisation far below 1, the processor is given to somebody else.', unit: 's', warnAt: 0.05, badAt: 0.25, queries: [{ expr: `deja_gateway_overload_lateness{${GATEWAY}}`, legend: OF_PROCESS }] }),
  lines({ title: 'Connections', description: 'Of clients, the admin API’s too. At DEJA_MAX_CONNECTIONS (16384 of each process unless set) further ones are closed at once.', unit: 'none', decimals: 0, queries: [{ expr: `deja_gateway_connections{${GATEWAY}}`, legend: OF_PROCESS }] }),
  lines({ title: 'Connections closed by gateways', description: 'too_many: as above. head, body: requests that came too slowly; lingering, unread: clients that send or read on too slowly; unreadable: no HTTP. Much of it from one proxy: is it slow, or does it hold connections that it does not use? (docs/api.md#bounds-on-what-comes-in)', unit: 'ops', queries: [{ expr: perSecond('deja_gateway_connections_closed_total', 'reason', GATEWAY), legend: '{{reason}}' }] }),
  lines({ title: 'Bodies on their way in', description: 'Bytes held while they are read. At DEJA_BODY_MEMORY_MIB (256 of each process unless set) further ones are refused.', unit: 'bytes', queries: [{ expr: `deja_gateway_bodies_held{${GATEWAY}}`, legend: OF_PROCESS }] }),
];

const bus = () => [
  lines({ title: 'Calls by method', description: 'Over Redis Streams (docs/transport.md). resolve_key a second near requests a second: keys are not kept, or change all the time.', unit: 'ops', queries: [{ expr: perSecond(`${CALL}_count`, 'service, method'), legend: '{{service}}.{{method}}' }] }),
  lines({ title: 'Calls that did not go well', description: 'timeout: nobody answered in time. unavailable: nobody is there, or Redis is away. error: the app said so, its log says why.', unit: 'ops', queries: [{ expr: orNone(perSecond(`${CALL}_count`, 'service, method, outcome', 'outcome!="ok"'), 'service'), legend: '{{service}}.{{method}} {{outcome}}' }] }),
  lines({ title: 'Calls, p99', description: 'As the caller waits.', unit: 's', queries: [{ expr: quantile(0.99, CALL, 'service, method'), legend: '{{service}}.{{method}}' }] }),
  lines({ title: 'Handling, p99', description: 'Inside the app that answers.', unit: 's', queries: [{ expr: quantile(0.99, 'deja_transport_handling_duration', 'service, method'), legend: '{{service}}.{{method}}' }] }),
  lines({ title: 'Messages by outcome', description: 'What became of messages at those that handle them. taken_over: another replica had begun it and is gone. set_aside: nobody could do it. malformed, unknown_pattern: versions that do not match.', unit: 'ops', queries: [{ expr: perSecond('deja_transport_messages_total', 'service, kind, outcome'), legend: '{{service}} {{kind}} {{outcome}}' }] }),
  lines({ title: 'Messages in hand', description: 'Being handled at this moment.', unit: 'none', queries: [{ expr: 'sum by (service, kind) (deja_transport_in_flight)', legend: '{{service}} {{kind}}' }] }),
];

const ledger = () => [
  lines({ title: 'Queue lag', description: 'Age of the oldest usage record that waits. It grows: are usage-workers up, is Postgres quick (below)?', unit: 's', warnAt: 30, badAt: 120, queries: [{ expr: asAnySays('deja_usage_queue_lag'), legend: 'lag' }] }),
  lines({ title: 'Queue depth', description: 'Jobs on the usage queue; each has a batch of records.', unit: 'none', queries: [{ expr: asAnySays('deja_usage_queue_depth', 'state'), legend: '{{state}}' }] }),
  lines({ title: 'Room in Redis', description: 'Bytes left to the queue, as the gateway with least sees it. At 0 records go to disks.', unit: 'bytes', queries: [{ expr: 'min(deja_gateway_usage_queue_room)', legend: 'room' }] }),
  lines({ title: 'Recorded', description: 'Usage records by what became of them. orphaned: a gateway died with the request open. rejected: nobody could read it (DejaUsageSetAside).', unit: 'ops', queries: [{ expr: perSecond('deja_usage_events_total', 'result'), legend: '{{result}}' }] }),
  lines({ title: 'One transaction of the ledger', description: 'How long Postgres takes.', unit: 's', warnAt: 0.5, badAt: 2, queries: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'deja_usage_insert_duration'), legend: `p${q * 100}` })) }),
  lines({ title: 'Records in one transaction', description: 'Batches grow with load; that is what they are for.', unit: 'none', queries: [{ expr: quantile(0.5, 'deja_usage_batch_size'), legend: 'p50' }, { expr: quantile(0.99, 'deja_usage_batch_size'), legend: 'p99' }] }),
  lines({ title: 'On gateways’ disks', description: 'Records that Redis did not take, of 4 GiB unless ledger.spool_max_bytes says otherwise.', unit: 'bytes', queries: [{ expr: 'deja_gateway_usage_spool_bytes', legend: '{{instance}}' }] }),
  lines({ title: 'Spooled, held, lost', description: 'Records a second that went to a disk, by why; that stayed in Redis because the disk takes no more; that neither took.', unit: 'ops', queries: [{ expr: perSecond('deja_gateway_usage_spooled_total', 'why'), legend: 'spooled: {{why}}' }, { expr: perSecond('deja_gateway_usage_held_total'), legend: 'held' }, { expr: perSecond('deja_gateway_usage_lost_total'), legend: 'lost' }] }),
  lines({ title: 'Reconciliation', description: 'missing: accepted and nowhere. surplus: in the ledger and never accepted. sums: sums that are not those of their rows. All 0 (DejaLedgerDrift).', unit: 'none', queries: [{ expr: asAnySays('deja_usage_drift', 'what'), legend: '{{what}}' }] }),
  lines({ title: 'Budgets put right', description: 'How far budgets in Redis were from the ledger, in dollars an hour. After an outage of Redis that is as it should be.', unit: 'currencyUSD', queries: [{ expr: grownIn('1h', 'deja_usage_budget_drift_total', 'direction'), legend: '{{direction}}' }] }),
  lines({ title: 'Jobs, last hour', description: 'Repricing, erasure, replays, that ended.', unit: 'none', decimals: 0, queries: [{ expr: grownIn('1h', 'deja_usage_jobs_total', 'kind, result'), legend: '{{kind}} {{result}}' }] }),
  lines({ title: 'Recorded without a price', description: 'Requests a second whose cost nobody knows.', unit: 'ops', queries: [{ expr: perSecond('deja_usage_unpriced_requests_total'), legend: 'unpriced' }] }),
];

const captures = () => [
  lines({ title: 'Bodies captured', description: 'queued; spooled: on this disk for now; dropped: gone (DejaBodiesDropped).', unit: 'ops', queries: [{ expr: perSecond('deja_gateway_captures_total', 'result'), legend: '{{result}}' }] }),
  lines({ title: 'Their bytes', description: 'As text, and as they are kept.', unit: 'Bps', queries: [{ expr: orNone(perSecond('deja_gateway_capture_bytes_total', 'form'), 'form'), legend: '{{form}}' }] }),
  lines({ title: 'Bodies stored', description: 'What usage-workers did with them.', unit: 'ops', queries: [{ expr: perSecond('deja_usage_captures_total', 'result'), legend: '{{result}}' }, { expr: asAnySays('deja_usage_captures_queue_depth'), legend: 'jobs that wait' }] }),
];

const routers = () => [
  lines({ title: 'Keys looked up', description: 'For gateways that do not know them. Many unknown: somebody tries keys, or a client has an old one.', unit: 'ops', queries: [{ expr: perSecond('deja_router_key_resolutions_total', 'status'), legend: '{{status}}' }] }),
  lines({ title: 'Behind the newest snapshot', description: 'By how much a router’s routing snapshot is older than the newest, in versions. Above 0 for minutes: replicas with different files (DejaSnapshotsDiffer).', unit: 'none', decimals: 0, queries: [{ expr: 'scalar(max(deja_router_snapshot_version)) - deja_router_snapshot_version', legend: '{{instance}}' }] }),
  lines({ title: 'Routing not heard', description: 'Seconds since a gateway heard of any router.', unit: 's', warnAt: 5, badAt: 30, queries: [{ expr: 'deja_gateway_routing_stale', legend: '{{instance}}' }] }),
];

const alerts = () => [
  figure({ title: 'Who evaluates', description: 'The usage-worker whose turn it is.', unit: 'none', width: 6, height: 8, queries: [{ expr: 'deja_usage_alerts_evaluator == 1 or on () 0 * sum(deja_usage_alerts_evaluator)', legend: '{{instance}}' }], warnAt: 1, lessIsWorse: true }),
  lines({ title: 'Pending and firing', description: 'Deja’s own alerts (docs/alerts.md), as the one who evaluates says. cut: beyond what one rule may have.', unit: 'none', width: 6, decimals: 0, queries: [{ expr: asAnySays('deja_usage_alerts', 'state'), legend: '{{state}}' }] }),
  lines({ title: 'One evaluation', description: 'Of all rules, every ten seconds. Above 5 s: Postgres, or very many rules.', unit: 's', width: 6, warnAt: 5, badAt: 10, queries: [{ expr: quantile(0.99, 'deja_usage_alerts_evaluation_duration'), legend: 'p99' }] }),
  lines({ title: 'Readings that failed', description: 'Alerts of that metric do not change meanwhile.', unit: 'ops', width: 6, queries: [{ expr: orNone(perSecond('deja_usage_alerts_readings_failed_total', 'metric'), 'metric'), legend: '{{metric}}' }] }),
  lines({ title: 'Told', description: 'Events and tries to tell a receiver, in the last hour. failed: given up after a day. npx deja alerts events says who and why.', unit: 'none', width: 12, decimals: 0, queries: [{ expr: grownIn('1h', 'deja_usage_alerts_events_total', 'state'), legend: 'event: {{state}}' }, { expr: grownIn('1h', 'deja_usage_alerts_deliveries_total', 'outcome'), legend: 'delivery: {{outcome}}' }] }),
  rows({ title: 'What runs', description: 'App, version, replica.', unit: 'none', width: 12, hidden: ['Value', '__name__', 'job', 'otel_scope_name', 'otel_scope_version'], queries: [{ expr: 'deja_build_info', legend: 'Value' }] }),
];

