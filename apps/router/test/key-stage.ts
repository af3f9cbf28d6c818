import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { CLIENT_KEY_PREFIX, keySha256, makeKey, newId, publicIdCheckKey, publicIdOf, type AdminActor, type RouterRpc } from '@deja/contracts';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { RedisProcess, TcpPath, testDatabase, type TestDatabase } from '@deja/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Changes } from '../src/admin/changes.ts';
import type { CallOf, Change, Handlers, RouterOperation } from '../src/admin/handlers.ts';
import { ClientKeysRepository } from '../src/keys/client-keys.repository.ts';
import { KeyDirectory } from '../src/keys/key-directory.ts';
import { keyOperations } from '../src/keys/key-operations.ts';
import { PushChannel } from '../src/push-channel.ts';
import { clientKeys, clientKeySecrets, tenants } from '../src/schema/tables.ts';
import type { Database } from '../src/schema/transaction.ts';
import { TenantRevisions } from '../src/tenants/tenant-revisions.ts';
import { TenantsRepository } from '../src/tenants/tenants.repository.ts';
import { recorder } from './infrastructure.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
const { logger } = recorder();

type Question = RouterRpc['resolve_key']['request'];
/** What a gateway asks about a key. */
export const asked = (key: string): Question => ({ keySha256: keySha256(key), publicId: publicIdOf(key, CLIENT_KEY_PREFIX) });

export const ROOT: AdminActor = { id: 'root', name: 'root', role: 'owner', tenant: null, from: '192.0.2.1', requestId: 'r' };
export const ofTenant = (tenant: string): AdminActor => ({ ...ROOT, id: newId(), name: tenant, tenant });

/** The part of a router that has to do with client keys, on a Postgres that can be cut off and whose queries are counted, at a time that the test keeps. */
export class KeyStage {
  readonly checkKey = publicIdCheckKey(randomBytes(32), CLIENT_KEY_PREFIX);
  readonly at = { nowMs: Date.now() };
  /** Queries of the directory. */
  queries = 0;

  private constructor(
    readonly redisServer: RedisProcess,
    readonly redis: RedisClient,
    private readonly database: TestDatabase,
    readonly path: TcpPath,
    readonly pool: Pool,
    readonly db: Database,
  ) {}

  static async start(): Promise<KeyStage> {
    const redisServer = await RedisProcess.start();
    const redis = openRedis(redisServer.url, { role: 'commands', name: 'test', logger });
    await whenReady(redis, 25_000);
    const database = await testDatabase();
    const path = await TcpPath.to(database.url);
    const pool = openPool(path.url, { name: 'test', logger });
    await migrate(pool, { folder: MIGRATIONS, schema: 'router', logger });
    const stage = new KeyStage(redisServer, redis, database, path, pool, drizzle(pool));
    const query = pool.query.bind(pool) as (...parameters: unknown[]) => unknown;
    pool.query = ((...parameters: unknown[]) => {
      stage.queries++;
      return query(...parameters);
    }) as typeof pool.query;
    await stage.db.insert(tenants).values({ id: 'default', name: 'default' });
    return stage;
  }

  async stop(): Promise<void> {
    await this.path.close();
    await this.pool.end();
    await this.database.drop();
    this.redis.disconnect();
    await this.redisServer.stop();
  }

  get keys(): ClientKeysRepository {
    return new ClientKeysRepository(this.db);
  }

  directory(): KeyDirectory {
    return new KeyDirectory({ keys: this.keys, checkKey: this.checkKey, logger, now: () => this.at.nowMs });
  }

  /** A router replica: what it knows of keys, and what its admin API does with them. */
  replica(): { directory: KeyDirectory; call: <Id extends KeyOperation>(id: Id, given?: Partial<CallOf<Id>>) => Promise<Answer<Id>> } {
    const directory = this.directory();
    const push = new PushChannel(this.redis, logger);
    const revisions = new TenantRevisions(this.redis, new TenantsRepository(this.db), push, logger);
    const handlers = keyOperations({ keys: this.keys, directory, checkKey: this.checkKey, push, revisions, now: () => this.at.nowMs });
    const changes = new Changes({ db: this.db, salt: randomBytes(32), logger });
    return {
      directory,
      call: async <Id extends KeyOperation>(id: Id, given: Partial<CallOf<Id>> = {}) => {
        const call = { by: ROOT, ifMatch: null, idempotency: null, params: {}, query: { limit: 100 }, body: null, ...given };
        const handler = handlers[id] as unknown as Change<RouterOperation>;
        const done = id === 'listKeys' || id === 'getKey' ? await handler(call as never, undefined as never) : await changes.run(call, (tx) => handler(call as never, tx));
        return done as unknown as Answer<Id>;
      },
    };
  }

  /** A key as the admin API makes it; returns it in clear. */
  async make(over: Partial<typeof clientKeys.$inferInsert> = {}): Promise<{ id: string; key: string }> {
    const id = newId();
    const { key, publicId, sha256 } = makeKey(CLIENT_KEY_PREFIX, randomBytes, this.checkKey);
    await this.db.insert(clientKeys).values({ id, tenant: 'default', name: 'a key', ...over });
    await this.db.insert(clientKeySecrets).values({ key: id, keySha256: sha256, publicId });
    return { id, key };
  }

  /** The same with a secret of somebody's choice. */
  async plant(key: string, over: Partial<typeof clientKeys.$inferInsert> = {}): Promise<string> {
    const id = newId();
    await this.db.insert(clientKeys).values({ id, tenant: 'default', name: 'planted', ...over });
    await this.db.insert(clientKeySecrets).values({ key: id, keySha256: keySha256(key) });
    return id;
  }
}

type KeyOperation = 'createKey' | 'listKeys' | 'getKey' | 'updateKey' | 'rotateKey' | 'deleteKey';
type Answer<Id extends KeyOperation> = Omit<Awaited<ReturnType<Handlers[Id]>>, 'audit' | 'afterwards'> & { secret?: string };
