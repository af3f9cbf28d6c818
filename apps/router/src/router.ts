import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { CustomStrategy } from '@nestjs/microservices';
import { ConfigError, DEFAULT_OPS_PORT, type DejaConfig, type Environment } from '@deja/config';
import { CLIENT_KEY_PREFIX, publicIdCheckKey } from '@deja/contracts';
import { migrate, openPool, type Pool as DatabasePool } from '@deja/postgres';
import { isUp, openRedis, whenReady, type RedisClient } from '@deja/redis';
import { startOpsServer, type Logger, type Telemetry } from '@deja/telemetry';
import { RpcErrorFilter, StreamsServer } from '@deja/transport';
import { drizzle } from 'drizzle-orm/node-postgres';
import { adminSurface, type AdminSurface } from './admin/admin-surface.ts';
import { Changes } from './admin/changes.ts';
import { AlertDirectory } from './alerts/alert-directory.ts';
import { AlertInputsRepository } from './alerts/alert-inputs.repository.ts';
import { AlertRulesRepository } from './alerts/alert-rules.repository.ts';
import { AlertSilencesRepository } from './alerts/alert-silences.repository.ts';
import { SealedReceivers } from './alerts/sealed-receivers.ts';
import { ConfigFile } from './config-file.ts';
import { ConfigurationInForce } from './configuration-in-force.ts';
import { ClientKeysRepository } from './keys/client-keys.repository.ts';
import { followKeyChanges } from './keys/follow-key-changes.ts';
import { KeyDirectory } from './keys/key-directory.ts';
import { SecretSweep } from './keys/secret-sweep.ts';
import { nestLogger } from './nest-logger.ts';
import { ObjectDirectory } from './objects/object-directory.ts';
import { ResponseSweep } from './objects/response-sweep.ts';
import { StoredObjectsRepository } from './objects/stored-objects.repository.ts';
import { HealthStore } from './pool/health-store.ts';
import { Pool } from './pool/pool.ts';
import { PushChannel } from './push-channel.ts';
import { RouterMetrics } from './router-metrics.ts';
import { RouterModule } from './router.module.ts';
import { followVaultChanges } from './snapshot/follow-vault-changes.ts';
import { SnapshotPublisher } from './snapshot/snapshot-publisher.ts';
import { SnapshotStore } from './snapshot/snapshot-store.ts';
import type { Database } from './schema/transaction.ts';
import { bootstrap } from './tenants/bootstrap.ts';
import { CredentialVault } from './vault/credential-vault.ts';
import { DataKeys } from './vault/data-keys.ts';
import { DataKeysRepository } from './vault/data-keys.repository.ts';
import { keyWrappingOf } from './vault/key-wrapping.ts';
import { MasterKeys } from './vault/master-keys.ts';
import { MasterKeysRepository } from './vault/master-keys.repository.ts';
import { StoredCredentialsRepository } from './vault/stored-credentials.repository.ts';
import type { KeyWrapping } from './vault/wrapped-key.ts';

const REDIS_MOMENT_MS = 5000;
const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));

export interface RouterOptions {
  environment: Environment & { variables: NodeJS.ProcessEnv };
  logger: Logger;
  telemetry: Telemetry;
}

export interface RunningRouter {
  opsPort: number;
  keys: KeyDirectory;
  /** Stops taking requests, finishes those under way, then lets go of everything. */
  close(): Promise<void>;
}

/**
 * Starts one replica of the router. Resolves when it answers; whether it is ready is for the ops server to say. Throws a ConfigError or a
 * BadConfigFile when the user has to change something.
 */
export async function startRouter({ environment, logger, telemetry }: RouterOptions): Promise<RunningRouter> {
  if (environment.databaseUrl === null) throw new ConfigError('DATABASE_URL is missing: set it to a Postgres database, as postgres://user:password@host:5432/name.');
  const wrapping = keyWrappingOf(environment);
  const configFile = new ConfigFile(environment, logger);
  const config = await configFile.load();

  const redis = openRedis(environment.redisUrl, { role: 'commands', name: 'router', logger });
  const subscriber = openRedis(environment.redisUrl, { role: 'subscriber', name: 'router-push', logger });
  const database = openPool(environment.databaseUrl, { name: 'router', logger });
  const db = drizzle(database);
  const { push, publisher, pool, objects, sweep } = partsOn(redis, database, logger);
  const state = { isMigrated: false, isListening: false };
  const ops = await startOpsServer({
    host: environment.host,
    port: environment.opsPort ?? DEFAULT_OPS_PORT.router,
    telemetry,
    logger,
    checks: () => ({ migrations: state.isMigrated, redis: isUp(redis), snapshot: publisher.isPublished, listening: state.isListening }),
  });

  await migrate(database, { folder: MIGRATIONS, schema: 'router', logger });
  const { salt, newKeySha256 } = await bootstrap(db, environment.bootstrapKey);
  state.isMigrated = true;

  const { keySweep, admin, ...store } = storeOn(db, salt, { environment, wrapping, configFile, config, redis, push, publisher, logger });
  const { keys, vault, inForce } = store;
  await vault.verifyMasterKeys();
  await vault.load();
  followKeyChanges(subscriber, keys);
  followVaultChanges(subscriber, () => void inForce.reload());
  // Without Redis the publisher tries again each second; a Redis that is there in a moment is worth the moment.
  await whenReady(redis, REDIS_MOMENT_MS).catch(() => undefined);
  await inForce.use(config);
  if (newKeySha256 !== null) await push.send({ kind: 'key_changed', keySha256: [newKeySha256] });
  publisher.start();
  inForce.start();
  configFile.watch((next) => inForce.use(next));
  for (const part of [objects, sweep, keySweep, admin]) part.start();

  const metrics = new RouterMetrics(telemetry.meter, publisher, pool);
  const app = await NestFactory.createMicroservice<CustomStrategy>(
    RouterModule.of({ ...store, configFile, pool, publisher, metrics, objects, ...admin }),
    { strategy: new StreamsServer({ service: 'router', redisUrl: environment.redisUrl, logger }), logger: nestLogger(logger), abortOnError: false },
  );
  app.useGlobalFilters(new RpcErrorFilter(logger));
  await app.listen();
  state.isListening = true;

  const close = async (): Promise<void> => {
    state.isListening = false;
    await app.close();
    await Promise.all([configFile.close(), inForce.stop()]);
    await publisher.stop();
    await Promise.all([objects, sweep, keySweep, admin].map((part) => part.stop()));
    redis.disconnect();
    subscriber.disconnect();
    await database.end();
    await ops.close();
  };
  return { opsPort: ops.port, keys, close };
}

interface Around {
  environment: RouterOptions['environment'];
  wrapping: KeyWrapping;
  configFile: ConfigFile;
  config: DejaConfig;
  redis: RedisClient;
  push: PushChannel;
  publisher: SnapshotPublisher;
  logger: Logger;
}

interface Store {
  keys: KeyDirectory;
  keySweep: SecretSweep;
  vault: CredentialVault;
  inForce: ConfigurationInForce;
  admin: AdminSurface;
  dataKeys: DataKeys;
  alerts: AlertDirectory;
}

/** What the admin API changes, and what becomes of it. */
function storeOn(db: Database, salt: Buffer, around: Around): Store {
  const { environment, wrapping, configFile, config, redis, push, publisher, logger } = around;
  const clientKeys = new ClientKeysRepository(db);
  const keys = new KeyDirectory({ keys: clientKeys, checkKey: publicIdCheckKey(salt, CLIENT_KEY_PREFIX), logger });
  const keySweep = new SecretSweep(clientKeys, logger);
  const changes = new Changes({ db, salt, logger });
  const masterKeysRepository = new MasterKeysRepository(db);
  const masterKeys = new MasterKeys(wrapping, masterKeysRepository);
  const vault = new CredentialVault({
    salt,
    keys: masterKeys,
    changes,
    repository: new StoredCredentialsRepository(db),
    masterKeysRepository,
    checkAddress: (baseUrl) => inForce.addressProblem(baseUrl),
    logger,
    healthOf: (credential) => publisher.healthOf(credential),
  });
  const inForce = new ConfigurationInForce(config, vault, publisher, push, logger);
  const dataKeys = new DataKeysRepository(db);
  const alertParts = { rules: new AlertRulesRepository(db), silences: new AlertSilencesRepository(db), receivers: new SealedReceivers(masterKeys, logger) };
  const admin = adminSurface({ db, salt, redis, push, logger, changes, environment, configFile, inForce, publisher, clientKeys, keys, dataKeys, alertParts, open: (jwe) => vault.open(jwe) });
  return {
    keys,
    keySweep,
    vault,
    inForce,
    admin,
    dataKeys: new DataKeys({ keys: masterKeys, repository: dataKeys, logger }),
    alerts: new AlertDirectory({ ...alertParts, inputs: new AlertInputsRepository(db), inForce, logger }),
  };
}

interface Parts {
  push: PushChannel;
  publisher: SnapshotPublisher;
  pool: Pool;
  objects: ObjectDirectory;
  sweep: ResponseSweep;
}

function partsOn(redis: RedisClient, database: DatabasePool, logger: Logger): Parts {
  const push = new PushChannel(redis, logger);
  const health = new HealthStore(redis);
  const pool = new Pool(health, logger);
  const storedObjects = new StoredObjectsRepository(drizzle(database));
  return {
    push,
    pool,
    objects: new ObjectDirectory(storedObjects, redis, logger),
    sweep: new ResponseSweep(storedObjects, logger),
    publisher: new SnapshotPublisher(new SnapshotStore(redis), health, pool, push, logger),
  };
}
