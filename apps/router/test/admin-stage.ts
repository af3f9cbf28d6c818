import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMIN_OPERATIONS, type AdminOperation } from '@deja/admin-api';
import { readEnvironment } from '@deja/config';
import { PUSH_CHANNEL, type AdminActor, type AdminAnswer, type AdminCall, type AdminChange, type JsonWebKeyPublic, type Push, type RouterRpc } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { startTelemetry, type Telemetry } from '@deja/telemetry';
import { RedisProcess, testDatabase, type TestDatabase } from '@deja/testing';
import { StreamsClient } from '@deja/transport';
import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, importJWK } from 'jose';
import pg from 'pg';
import { startRouter, type RunningRouter } from '../src/router.ts';
import { recorder } from './infrastructure.ts';

/** A deadline for what hangs: a busy machine may take its time. */
const START_MS = 30_000;

const YAML = `providers:
  p: { kind: openai, base_url: "http://127.0.0.1:9/v1", credentials: [{ name: file, value: planted-value-of-the-file }] }
models: [{ name: m, deployments: [{ provider: p, model: m }] }]
`;

export const ROOT: AdminActor = { id: 'root', name: 'root', role: 'owner', tenant: null, from: '192.0.2.1', requestId: 'req-1' };
export const scoped = (tenant: string, role: AdminActor['role'] = 'owner'): AdminActor => ({ ...ROOT, id: `token-of-${tenant}`, name: tenant, role, tenant });

/** A call as tests write it: by root, on no condition, unless they say so. */
export type Given = Partial<Omit<AdminCall, 'operation' | 'idempotency'>> & { key?: string; fingerprint?: string };
export type Answered = Omit<AdminAnswer, 'body'> & { body: Record<string, unknown>; secret: string | null };

/** Router replicas on one Redis and one database, and a gateway that calls them. */
export class AdminStage {
  redisServer!: RedisProcess;
  redis!: RedisClient;
  database!: TestDatabase;
  sql!: pg.Pool;
  client!: StreamsClient;
  configPath = '';
  readonly pushed: Push[] = [];
  readonly routers: RunningRouter[] = [];
  readonly #logs: Record<string, unknown>[][] = [];
  #telemetry!: Telemetry;
  #folder = '';
  #pair!: Awaited<ReturnType<typeof generateKeyPair>>;
  #publicKey!: JsonWebKeyPublic;
  readonly #closing: (() => unknown)[] = [];

  static async open(replicas = 1): Promise<AdminStage> {
    const stage = new AdminStage();
    stage.redisServer = await RedisProcess.start();
    stage.database = await testDatabase();
    stage.sql = new pg.Pool({ connectionString: stage.database.url, max: 4 });
    // A connection that is still closing when its database is dropped says so.
    stage.sql.on('error', () => undefined);
    stage.#folder = await mkdtemp(join(tmpdir(), 'deja-router-'));
    stage.configPath = join(stage.#folder, 'deja.yaml');
    await writeFile(stage.configPath, YAML);
    stage.#telemetry = startTelemetry({ service: 'router', instance: 'test', variables: {} });
    stage.#pair = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
    stage.#publicKey = (await exportJWK(stage.#pair.publicKey)) as JsonWebKeyPublic;
    const { logger } = recorder();
    stage.redis = openRedis(stage.redisServer.url, { role: 'commands', name: 'look', logger });
    const subscriber = openRedis(stage.redisServer.url, { role: 'subscriber', name: 'gateway', logger });
    await Promise.all([whenReady(stage.redis, START_MS), whenReady(subscriber, START_MS)]);
    subscriber.on('message', (_: string, text: string) => void stage.pushed.push(JSON.parse(text) as Push));
    await subscriber.subscribe(PUSH_CHANNEL);
    stage.client = new StreamsClient({ service: 'router', redisUrl: stage.redisServer.url, logger });
    await stage.client.connect();
    stage.#closing.push(() => stage.client.close(), () => subscriber.disconnect(), () => stage.redis.disconnect());
    for (let n = 0; n < replicas; n++) await stage.replica();
    return stage;
  }

  async replica(): Promise<RunningRouter> {
    const variables = { REDIS_URL: this.redisServer.url, DATABASE_URL: this.database.url, OPS_PORT: '0', DEJA_CONFIG: this.configPath, DEJA_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') };
    const { logger, lines } = recorder();
    const router = await startRouter({ environment: { ...readEnvironment(variables), variables }, logger, telemetry: this.#telemetry });
    this.routers.push(router);
    this.#logs.push(lines);
    return router;
  }

  /** What the replicas have logged so far. */
  get lines(): Record<string, unknown>[] {
    return this.#logs.flat();
  }

  async close(): Promise<void> {
    for (const router of this.routers.splice(0)) await router.close();
    for (const close of this.#closing.splice(0)) await close();
    await this.sql.end();
    await this.database.drop();
    await this.redisServer.stop();
    await this.#telemetry.shutdown();
    await rm(this.#folder, { recursive: true });
  }

  async call(operation: string, { key, fingerprint, ...given }: Given = {}): Promise<Answered> {
    const idempotency = key === undefined ? null : { key, fingerprint: fingerprint ?? createHash('sha256').update(JSON.stringify([operation, given.params, given.body])).digest('hex') };
    const sealsBody = ADMIN_OPERATIONS.some((known: AdminOperation) => known.id === operation && known.sealsBody === true);
    const call: AdminCall = { operation, by: ROOT, ifMatch: null, params: {}, query: {}, body: {}, sealTo: this.#publicKey, ...given, idempotency, ...(sealsBody && { body: { sealed: await this.sealed(JSON.stringify(given.body)) } }) };
    const answer = await this.client.call<RouterRpc['admin']['reply']>('admin', call, { deadlineMs: 10_000 });
    return { ...answer, body: answer.body as Record<string, unknown>, secret: answer.sealedSecret === null ? null : await this.opened(answer.sealedSecret) };
  }

  async opened(jwe: string): Promise<string> {
    return new TextDecoder().decode((await compactDecrypt(jwe, this.#pair.privateKey)).plaintext);
  }

  /** The id of a tenant made for a test. */
  async tenant(id: string): Promise<string> {
    await this.call('createTenant', { body: { id } });
    return id;
  }

  rpc<P extends keyof RouterRpc>(pattern: P, request: RouterRpc[P]['request']): Promise<RouterRpc[P]['reply']> {
    return this.client.call<RouterRpc[P]['reply']>(pattern, request, { deadlineMs: 10_000 });
  }

  /** A credential of the admin API. */
  async credential(name: string, tenant: string | null, change: Partial<AdminChange> = {}): Promise<RouterRpc['create_credential']['reply']['credential']> {
    const sealedValue = await this.sealed(`sk-planted-value-of-the-credential-${name}`);
    const { credential } = await this.rpc('create_credential', { credential: { provider: 'p', name, sealedValue, tenant, baseUrl: null, weight: 1, limits: {} }, change: changeBy(ROOT, change) });
    return credential;
  }

  async sealed(value: string): Promise<string> {
    const { publicKey } = await this.rpc('vault_key', {});
    return new CompactEncrypt(new TextEncoder().encode(value)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(await importJWK({ ...publicKey }, 'ECDH-ES'));
  }

  /** Rows of the audit log on one resource, the latest first. */
  async audited(resourceId: string): Promise<Record<string, unknown>[]> {
    return (await this.call('listAudit', { query: { resource_id: resourceId } })).body['data'] as Record<string, unknown>[];
  }

  /** Every row of every table of the schema. */
  async dump(): Promise<string> {
    const { rows } = await this.sql.query<{ name: string }>('select table_name as name from information_schema.tables where table_schema = \'router\' order by 1');
    return (await Promise.all(rows.map(async ({ name }) => `${name}: ${JSON.stringify((await this.sql.query(`select t::text from router.${name} t order by 1`)).rows)}`))).join('\n');
  }
}

export const changeBy = (by: AdminActor, over: Partial<AdminChange> = {}): AdminChange => ({ by, ifMatch: null, idempotency: null, ...over });
