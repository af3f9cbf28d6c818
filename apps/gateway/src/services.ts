import { join } from 'node:path';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { USAGE_QUEUE, USAGE_QUEUE_PREFIX, type RouterRpc, type SemanticCacheRpc, type UsageJobData } from '@deja/contracts';
import { isUp, openRedis } from '@deja/redis';
import { StreamsClient } from '@deja/transport';
import { Queue } from 'bullmq';
import { explainedBy } from './admin/plan/explained-by.ts';
import { AdminSurface } from './admin/admin-surface.ts';
import { AppCalls } from './admin/app-calls.ts';
import { Attempts } from './attempt/attempts.ts';
import { CredentialLeases } from './attempt/credential-leases.ts';
import { OutcomeReporter } from './attempt/outcome-reporter.ts';
import { Shadows } from './attempt/shadow.ts';
import { Upstream } from './attempt/upstream.ts';
import { GatewayCache } from './cache/gateway-cache.ts';
import { PipelineCache } from './cache/pipeline-cache.ts';
import { GatewayCapture } from './capture/gateway-capture.ts';
import { EmbeddingsPipeline } from './embeddings/embeddings.pipeline.ts';
import { Flights } from './flight/flights.ts';
import { Guard } from './guard/guard.ts';
import { ClientAddresses } from './keys/client-address.ts';
import { KeyRing } from './keys/key-ring.ts';
import { tenantRevision } from './keys/tenant-revision.ts';
import { GatewayLimits } from './limits/gateway-limits.ts';
import { Reservations } from './limits/reservations.ts';
import { StoredObjects } from './objects/stored-objects.ts';
import { Admission } from './passthrough/admission.ts';
import { ModelCallPipeline } from './passthrough/model-call.pipeline.ts';
import { ObjectsPipeline } from './passthrough/objects.pipeline.ts';
import { RawCalls } from './passthrough/raw-call.ts';
import { measuredBodyMemory } from './pipeline/body-memory-metrics.ts';
import { BodyReader } from './pipeline/body-reader.ts';
import { OverloadGate } from './overload/overload-gate.ts';
import { overloadHook, type Admits } from './overload/overload-hook.ts';
import { OverloadMetrics } from './overload/overload-metrics.ts';
import { FrontDoor } from './pipeline/front-door.ts';
import { Answering } from './pipeline/answering.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { OwnView } from './plan/own-view.ts';
import { Planner } from './plan/planner.ts';
import { RoutingTable } from './plan/routing-table.ts';
import { CredentialQuotas } from './quotas/credential-quotas.ts';
import { QuotaAdmission } from './quotas/quota-admission.ts';
import { Runtime } from './runtime.ts';
import { AcceptedCounts } from './settle/accepted.ts';
import { GatewayMetrics, OutboxMetrics } from './settle/metrics.ts';
import { Outbox } from './settle/outbox.ts';
import { lookAt, QueueBound } from './settle/queue-bound.ts';
import { Settler } from './settle/settler.ts';
import { Spool } from './settle/spool.ts';
import { Validator } from './validate/validator.ts';

const RESOLVE_DEADLINE_MS = 2000;
const CREDENTIAL_DEADLINE_MS = 2000;
const OBJECTS_DEADLINE_MS = 2000;
const SEMANTIC_DEADLINE_MS = 200;
/** Of what an operator asks, who has more patience than a request. */
const SEMANTIC_ADMIN_DEADLINE_MS = 2000;
const SAVINGS_DEADLINE_MS = 5000;
const COMMAND_MS = 1000;
/** Of what a request waits for Redis. A decision waits at most ten times as long, and is to hear of an answer that came too late before its command is given up. */
const COMMAND_TIMES = 11;
/** Routers say every second that they live. After so long a silence a change may have been missed. */
const PUSH_SILENT_MS = 2500;

/** Until a router has said what deja.yaml says: its own defaults. */
const USUAL_BOUNDS = { spool_max_bytes: 4 * 1024 ** 3, queue_max_bytes: 512 * 1024 ** 2 };

/** The gateway's parts, put together once. Connections open in the background: readiness tells when they stand. */
@Injectable()
export class GatewayServices implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly addresses: ClientAddresses;
  readonly keys: KeyRing;
  readonly routing: RoutingTable;
  readonly bodies: BodyReader;
  readonly admits: Admits;
  readonly door: FrontDoor;
  readonly pipeline: Pipeline;
  readonly embeddings: EmbeddingsPipeline;
  readonly models: ModelCallPipeline;
  readonly objects: ObjectsPipeline;
  readonly admin: AdminSurface;
  private readonly commands;
  private readonly cache;
  private readonly subscriber;
  private readonly queueRedis;
  private readonly queue: Queue<UsageJobData>;
  private readonly capture: GatewayCapture;
  private readonly router: StreamsClient;
  private readonly semantic: StreamsClient;
  private readonly usage: StreamsClient;
  private readonly upstream = new Upstream();
  private readonly overload: OverloadGate;
  private readonly outbox: Outbox;
  private readonly reporter: OutcomeReporter;
  private readonly shadows: Shadows;
  private readonly quotas: CredentialQuotas;
  private readonly limits: GatewayLimits;
  private readonly answers: GatewayCache;
  private readonly pipelineCache: PipelineCache;

  constructor(private readonly runtime: Runtime) {
    const { environment, logger, instance, telemetry, leaseS } = runtime;
    const { redisUrl, cacheRedisUrl } = environment;
    const commandTimeoutMs = Math.max(COMMAND_MS, COMMAND_TIMES * environment.redisDeadlineMs);
    this.commands = openRedis(redisUrl, { role: 'commands', name: 'gateway', logger, commandTimeoutMs });
    this.cache = cacheRedisUrl === redisUrl ? this.commands : openRedis(cacheRedisUrl, { role: 'commands', name: 'gateway-cache', logger, commandTimeoutMs });
    this.subscriber = openRedis(redisUrl, { role: 'subscriber', name: 'gateway-push', logger });
    this.queueRedis = openRedis(redisUrl, { role: 'commands', name: 'gateway-queue', logger, commandTimeoutMs: 5000 });
    this.queue = new Queue(USAGE_QUEUE, { connection: this.queueRedis, prefix: USAGE_QUEUE_PREFIX, skipVersionCheck: true, skipWaitingForReady: true });
    this.queue.on('error', () => undefined); // the connection logs its own outages, once each
    this.router = new StreamsClient({ service: 'router', redisUrl, logger });
    this.semantic = new StreamsClient({ service: 'semantic-cache', redisUrl, logger });
    this.usage = new StreamsClient({ service: 'usage-worker', redisUrl, logger });
    this.addresses = new ClientAddresses(environment.trustedProxies);

    telemetry.meter.createObservableGauge('deja.gateway.routing.stale', { unit: 's', description: 'For how long no router has been heard; 0 while one is' })
      .addCallback((result) => result.observe((Date.now() - (this.routing.staleSinceMs ?? Date.now())) / 1000));
    this.keys = new KeyRing({
      resolve: (question) => this.router.call('resolve_key', question, { deadlineMs: RESOLVE_DEADLINE_MS }),
      staleOkMs: () => this.routing.staleOkMs,
      pushHealthy: () => this.routing.heardWithin(PUSH_SILENT_MS),
      tenantRevision: (tenant) => tenantRevision(this.commands, tenant),
    });
    this.routing = new RoutingTable(this.subscriber, this.commands, logger);
    const leases = new CredentialLeases((request) => this.router.call('credential', request, { deadlineMs: CREDENTIAL_DEADLINE_MS }), logger);
    this.quotas = new CredentialQuotas(this.commands, instance, logger);
    const quotaAdmission = new QuotaAdmission(this.quotas);
    const view = new OwnView();
    const planner = new Planner(view);
    this.follow(leases, view);

    this.reporter = new OutcomeReporter((outcomes) => this.router.notify('attempt_outcomes', { gateway: instance, outcomes }));
    const accepted = new AcceptedCounts(instance);
    this.outbox = this.openOutbox(accepted);
    this.limits = new GatewayLimits({
      redis: this.commands, cache: this.cache, instance, leaseS, accepted, telemetry, logger, deadlineMs: environment.redisDeadlineMs,
      spent: (request, deadlineMs) => this.usage.call('spent', request, { deadlineMs }),
      replicas: () => this.outbox.replicas,
      settings: () => this.routing.snapshot().settings,
    });
    const auditor = new AppCalls<RouterRpc>((pattern, request, options) => this.router.call(pattern, request, options), 'router');
    this.answers = new GatewayCache({
      redis: this.commands, cache: this.cache, instance, telemetry, logger,
      notify: (pattern, event) => this.semantic.notify(pattern, event),
      audit: (change) => auditor.change('audit', change),
      askSavings: (request) => this.usage.call('cache_savings', request, { deadlineMs: SAVINGS_DEADLINE_MS }),
      askWrongRates: (request) => this.semantic.call('wrong_rates', request, { deadlineMs: SEMANTIC_ADMIN_DEADLINE_MS }),
      askSimilar: (request) => this.semantic.call('similar', request, { deadlineMs: SEMANTIC_ADMIN_DEADLINE_MS }),
    });
    const { answers } = this.answers;
    this.capture = new GatewayCapture({
      redis: this.queueRedis, telemetry, logger,
      spoolDir: join(environment.dataDir, 'captures'),
      askDataKey: (request) => this.router.call('data_key', request, { deadlineMs: CREDENTIAL_DEADLINE_MS }),
      settings: () => this.routing.settings,
      pushHealthy: () => this.routing.heardWithin(PUSH_SILENT_MS),
      staleOkMs: () => this.routing.staleOkMs,
    });
    const metrics = new GatewayMetrics(telemetry.meter, { tenants: environment.metricsTenants });
    const settler = new Settler(this.limits.reserver, this.commands, this.outbox, answers, metrics, this.capture.log, logger);
    const watchers = { reporter: this.reporter, tracer: telemetry.tracer, metrics: metrics.calls, view, admission: quotaAdmission };
    const attempts = new Attempts(this.upstream, leases, watchers);
    this.shadows = new Shadows(attempts, (event) => settler.late(event), metrics, logger);
    const guard = new Guard(attempts, planner);
    const validator = new Validator();
    const objects = new StoredObjects(this.commands, (pattern, event) => this.router.notify(pattern, event), (pattern, request) => this.router.call(pattern, request, { deadlineMs: OBJECTS_DEADLINE_MS }), logger);
    this.pipelineCache = new PipelineCache({
      answers, planner, attempts, telemetry, logger,
      record: (event) => settler.late(event),
      ask: (request, signal) => this.semantic.call<SemanticCacheRpc['lookup']['reply']>('lookup', request, { deadlineMs: SEMANTIC_DEADLINE_MS, signal }),
      notify: (pattern, event) => this.semantic.notify(pattern, event),
    });
    const reservations = new Reservations(this.keys, this.limits.reserver, settler, this.limits.watch);
    const admission = new Admission(this.keys, this.routing, reservations);
    const rawCalls = new RawCalls(this.upstream, leases, watchers);
    const bodyMemory = measuredBodyMemory(telemetry.meter, environment.bodyMemoryBytes);
    this.bodies = new BodyReader(this.keys, this.routing, this.addresses, bodyMemory);
    this.overload = new OverloadGate({ settings: environment.overload, keyPriority: (headers) => this.keys.priorityOf(headers) });
    const overloadMetrics = new OverloadMetrics(telemetry.meter, this.overload);
    this.admits = overloadHook({ gate: this.overload, refused: (refused) => overloadMetrics.refused(refused) });
    this.door = new FrontDoor(telemetry, settler, this.addresses, undefined, this.overload.preparing);
    const answering = new Answering(guard, objects, planner, this.pipelineCache, attempts, this.shadows, new Flights());
    this.pipeline = new Pipeline(this.keys, this.routing, validator, guard, objects, planner, reservations, quotaAdmission, this.pipelineCache, answering);
    this.embeddings = new EmbeddingsPipeline(this.keys, this.routing, validator, guard, planner, reservations, quotaAdmission, attempts, answers);
    this.models = new ModelCallPipeline(admission, guard, objects, rawCalls, planner, bodyMemory);
    this.objects = new ObjectsPipeline(admission, guard, objects, rawCalls, planner, bodyMemory);
    this.admin = new AdminSurface({
      adminKey: environment.adminKey,
      callRouter: (pattern, request, options) => this.router.call(pattern, request, options),
      callUsage: (pattern, request, options) => this.usage.call(pattern, request, options),
      clientAddress: (request) => this.addresses.of(request),
      listBudgets: (query, owners) => this.limits.list.list(query, owners),
      cache: this.answers.admin,
      dataKeys: this.capture.keys,
      seen: () => view.forPlan(Date.now()),
      explain: explainedBy(planner, this.routing, this.quotas),
      logger,
      now: Date.now,
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    this.overload.start();
    this.routing.start();
    this.limits.start();
    this.answers.start();
    this.capture.start();
    await Promise.all([this.outbox.start(), this.quotas.start()]);
  }

  /** After the last reply: everything settled goes out before the connections close. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.shadows.close(), this.pipelineCache.close()]);
    await this.reporter.flush();
    this.overload.close();
    this.quotas.close();
    this.limits.close();
    await this.answers.close();
    await Promise.all([this.outbox.close(), this.capture.close()]);
    await this.upstream.close();
    await Promise.all([this.queue.close(), this.router.close(), this.semantic.close(), this.usage.close()]);
    for (const redis of new Set([this.commands, this.cache, this.subscriber, this.queueRedis])) redis.disconnect();
  }

  /** Readiness, by name. */
  checks(): Record<string, boolean> {
    return { redis: isUp(this.commands), routing: this.routing.ready };
  }

  /** What it does without at the moment, and serves all the same. */
  degraded(): string[] {
    return this.routing.staleSinceMs === null ? [] : ['router'];
  }

  private follow(leases: CredentialLeases, view: OwnView): void {
    this.routing.onReconnect(() => {
      this.keys.forget();
      this.capture.keys.doubt();
      this.answers.invalidations.notice();
    });
    this.routing.onPush((push) => {
      if (push.kind === 'snapshot') {
        leases.prefetch(push.snapshot);
        view.keep(push.snapshot);
      } else if (push.kind === 'tenant_changed') {
        this.keys.forgetTenant(push.tenant);
        this.capture.keys.forgetTenant(push.tenant);
      } else if (push.kind === 'key_changed') this.keys.forget(push.keySha256);
      else if (push.kind === 'cache_invalidated') this.answers.invalidations.notice();
      else if (push.kind === 'credential_revoked') leases.revoke(push.ids);
    });
  }

  private openOutbox(accepted: AcceptedCounts): Outbox {
    const { environment, instance, leaseS, logger, telemetry } = this.runtime;
    const bound = (name: 'spool_max_bytes' | 'queue_max_bytes'): number => this.routing.settings?.ledger[name] ?? USUAL_BOUNDS[name];
    const spool = new Spool(join(environment.dataDir, 'spool'), instance, () => bound('spool_max_bytes'));
    const queue = new QueueBound({ look: lookAt(this.queueRedis, (name) => this.queue.toKey(name)), maxBytes: () => bound('queue_max_bytes'), replicas: () => this.outbox.replicas });
    return new Outbox(this.commands, (data) => this.enqueue(data), spool, { instance, leaseS, accepted, queue, metrics: new OutboxMetrics(telemetry.meter), logger });
  }

  private async enqueue(data: UsageJobData): Promise<void> {
    if (!isUp(this.queueRedis)) throw new Error('redis is away');
    await this.queue.add('settled', data, { removeOnComplete: true, attempts: Number.MAX_SAFE_INTEGER, backoff: { type: 'fixed', delay: 1000 } });
  }
}
