import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { readEnvironment } from '@deja/config';
import { newId, PUSH_CHANNEL, SNAPSHOT_KEY, type CaptureBatch, type CapturedExchange, type Deployment, type Principal, type Push, type RoutingSnapshot, type RouterRpc, type Settings, CAPTURE_QUEUE, CAPTURE_QUEUE_PREFIX } from '@deja/contracts';
import { openRedis, type RedisClient } from '@deja/redis';
import { createLogger, startTelemetry } from '@deja/telemetry';
import { eventually, fakeProvider, RedisProcess, type FakeProvider } from '@deja/testing';
import { StreamsServer } from '@deja/transport';
import { Queue } from 'bullmq';
import { isForAdmin } from '../src/admin/admin-body.ts';
import { DataKeys } from '../src/capture/data-keys.ts';
import { openBody } from '../src/capture/seal.ts';
import { GatewayModule } from '../src/gateway.module.ts';
import { httpApp } from '../src/http-app.ts';
import { Runtime } from '../src/runtime.ts';
import { GatewayServices } from '../src/services.ts';
import { settings } from './cache-stage.ts';
import { ScriptedDataKeys } from './sealed-data-keys.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };

export interface Opened {
  mode: 'metadata' | 'full';
  request: unknown;
  response: unknown;
  searchText: string | null;
}

/** A whole gateway in this process, with a Redis of its own, a provider, and a router that says what the test says. */
export class GatewayStage {
  readonly dataKeys = new ScriptedDataKeys();
  readonly principal: Principal = {
    tenant: 'acme', revision: 1, key: newId(), models: null, endpoints: null, networks: null, tags: {}, cache: {}, expiresAtMs: null,
    limits: { tenant: {}, key: {}, perUser: {} }, budgets: { tenant: [], key: [], perUser: [] },
  };
  private readonly keys = new DataKeys(this.dataKeys.ask, quiet);
  private version = 1;
  private alive: NodeJS.Timeout | null = null;

  private constructor(
    readonly redis: RedisProcess,
    readonly provider: FakeProvider,
    readonly dataDir: string,
    private readonly app: NestFastifyApplication,
    private readonly router: StreamsServer,
    private readonly connection: RedisClient,
    private readonly jobs: Queue<CaptureBatch>,
  ) {}

  static async start(): Promise<GatewayStage> {
    const [redis, provider] = await Promise.all([RedisProcess.start(), fakeProvider()]);
    const dataDir = mkdtempSync(join(tmpdir(), 'deja-gateway-'));
    const environment = readEnvironment({ REDIS_URL: redis.url, DEJA_DATA_DIR: dataDir, DEJA_ADMIN: 'off', DEJA_REDIS_DEADLINE_MS: '500' });
    const runtime = new Runtime(environment, `test-${newId()}`, createLogger({ service: 'gateway', instance: 'test', destination: { write: () => undefined } }), startTelemetry({ service: 'gateway', instance: 'test', variables: {} }), 60);
    const router = new StreamsServer({ service: 'router', redisUrl: redis.url, logger: quiet });
    const app = await httpApp(GatewayModule.forRuntime(runtime), { isDraining: () => false, read: async (request, payload) => (isForAdmin(request) ? payload : app.get(GatewayServices).bodies.read(payload)), logger: false });
    const connection = openRedis(redis.url, { role: 'commands', name: 'test', logger: quiet });
    const jobs = new Queue<CaptureBatch>(CAPTURE_QUEUE, { connection, prefix: CAPTURE_QUEUE_PREFIX, skipVersionCheck: true, skipWaitingForReady: true });
    jobs.on('error', () => undefined);
    const stage = new GatewayStage(redis, provider, dataDir, app, router, connection, jobs);
    router.addHandler('resolve_key', (): Promise<RouterRpc['resolve_key']['reply']> => Promise.resolve({ status: 'active', principal: stage.principal }));
    router.addHandler('data_key', (asked: RouterRpc['data_key']['request']) => stage.dataKeys.ask(asked));
    await new Promise<void>((resolve) => void router.listen(() => resolve()));
    await app.listen(0, '127.0.0.1');
    stage.alive = setInterval(() => void stage.push({ kind: 'router_alive' }), 200);
    await stage.configure(settings());
    return stage;
  }

  /** Serves models `m` and `e` by the fake provider, under these settings. */
  async configure(changed: Partial<Settings>): Promise<void> {
    this.version++;
    const deployment = (name: string): Deployment => ({ id: `p/${name}`, provider: 'p', kind: 'openai', baseUrl: `${this.provider.url}/v1`, apiVersion: null, upstreamModel: name, credentials: [], unavailableUntilMs: 0 });
    const model = (name: string): RoutingSnapshot['models'][number] => ({ name, strategy: 'weighted', deployments: [{ id: `p/${name}`, weight: 1, priority: 1 }], fallbacks: [] });
    const names = ['m', 'e', 'omni-moderation-latest', 'gpt-image-1'];
    const snapshot: RoutingSnapshot = { version: this.version, issuedAtMs: Date.now(), models: names.map(model), deployments: names.map(deployment), settings: { ...settings(), ...changed } };
    await this.redis.client.set(SNAPSHOT_KEY, JSON.stringify(snapshot));
    await this.push({ kind: 'snapshot', snapshot });
    const { routing } = this.app.get(GatewayServices);
    await eventually('the snapshot', () => routing.version === this.version);
  }

  /** Of a client: the answer, and the operation's id. */
  async post(path: string, body: unknown, init: RequestInit = {}): Promise<{ response: Response; id: string }> {
    const isForm = body instanceof FormData;
    const response = await fetch(`${this.url}/v1/${path}`, {
      method: 'POST', headers: { authorization: 'Bearer sk-test', ...(!isForm && { 'content-type': 'application/json' }) }, body: isForm ? body : typeof body === 'string' ? body : JSON.stringify(body), ...init,
    });
    return { response, id: response.headers.get('x-request-id') ?? '' };
  }

  get url(): string {
    return `http://127.0.0.1:${(this.app.getHttpServer().address() as AddressInfo).port}`;
  }

  /** Nothing while Redis is away. */
  async exchanges(): Promise<CapturedExchange[]> {
    const jobs = await this.jobs.getJobs(['wait']).catch(() => []);
    return jobs.flatMap(({ data }) => data.exchanges);
  }

  /** What the log has of an operation, opened; waits for it. */
  async captured(id: string): Promise<Opened> {
    const { operation, tenant, mode, dataKey, request, response, searchText } = await eventually(`the capture of ${id}`, async () => (await this.exchanges()).find((exchange) => exchange.operation === id));
    const key = await this.keys.byId(tenant, dataKey);
    if (key === null) throw new Error('the key was destroyed');
    const opened = async (part: 'request' | 'response', body: CapturedExchange['request']): Promise<unknown> => (body === null ? null : (JSON.parse(await openBody(body, key.key, { tenant, operation, part })) as unknown));
    return { mode, request: await opened('request', request), response: await opened('response', response), searchText };
  }

  async push(push: Push): Promise<void> {
    await this.redis.client.publish(PUSH_CHANNEL, JSON.stringify(push)).catch(() => undefined);
  }

  /** The gateway stops; everything it has goes out. */
  async stopGateway(): Promise<void> {
    await this.app.close();
  }

  async stop(): Promise<void> {
    if (this.alive !== null) clearInterval(this.alive);
    await this.stopGateway();
    await this.router.close();
    await this.jobs.close();
    this.connection.disconnect();
    await this.provider.close();
    await this.redis.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
