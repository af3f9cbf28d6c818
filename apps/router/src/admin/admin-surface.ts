import { ADMIN_TOKEN_PREFIX, CLIENT_KEY_PREFIX, publicIdCheckKey } from '@deja/contracts';
import type { RedisClient } from '@deja/redis';
import type { Logger } from '@deja/telemetry';
import { AdminTokensRepository } from '../admin-tokens/admin-tokens.repository.ts';
import { TokenDirectory } from '../admin-tokens/token-directory.ts';
import { tokenOperations } from '../admin-tokens/token-operations.ts';
import { alertOperations, type AlertParts } from '../alerts/alert-operations.ts';
import { silenceOperations } from '../alerts/silence-operations.ts';
import type { ConfigurationInForce } from '../configuration-in-force.ts';
import type { ClientKeysRepository } from '../keys/client-keys.repository.ts';
import type { KeyDirectory } from '../keys/key-directory.ts';
import { keyOperations } from '../keys/key-operations.ts';
import type { PushChannel } from '../push-channel.ts';
import { tenantOperations } from '../tenants/tenant-operations.ts';
import { TenantRevisions } from '../tenants/tenant-revisions.ts';
import { TenantsRepository } from '../tenants/tenants.repository.ts';
import type { DataKeysRepository } from '../vault/data-keys.repository.ts';
import type { Changes } from './changes.ts';
import { clusterOperations, type ClusterParts } from './cluster-operations.ts';
import { AdminDispatcher } from './dispatcher.ts';

export interface AdminSurfaceParts extends ClusterParts {
  /** Of the cluster. */
  salt: Buffer;
  redis: RedisClient;
  push: PushChannel;
  logger: Logger;
  changes: Changes;
  inForce: ConfigurationInForce;
  clientKeys: ClientKeysRepository;
  keys: KeyDirectory;
  dataKeys: DataKeysRepository;
  alertParts: Pick<AlertParts, 'rules' | 'silences' | 'receivers'>;
  /** Opens what was sealed to the cluster's own key. */
  open: (jwe: string) => Promise<Buffer>;
}

export interface AdminSurface {
  changes: Changes;
  dispatcher: AdminDispatcher;
  tokens: TokenDirectory;
  tenants: TenantsRepository;
  start(): void;
  stop(): Promise<void>;
}

/** All that the admin API finds in the router but credentials and deployments, which the vault has. */
export function adminSurface(parts: AdminSurfaceParts): AdminSurface {
  const { db, salt, redis, push, logger, changes, inForce, clientKeys, keys } = parts;
  const tenants = new TenantsRepository(db);
  const revisions = new TenantRevisions(redis, tenants, push, logger);
  const adminTokens = new AdminTokensRepository(db);
  const tokenCheckKey = publicIdCheckKey(salt, ADMIN_TOKEN_PREFIX);
  const dispatcher = new AdminDispatcher({
    ...tenantOperations({ tenants, dataKeys: parts.dataKeys, revisions, credentialsDeleted: (ids) => inForce.credentialsDeleted(ids) }),
    ...keyOperations({ keys: clientKeys, directory: keys, checkKey: publicIdCheckKey(salt, CLIENT_KEY_PREFIX), push, revisions }),
    ...tokenOperations({ tokens: adminTokens, checkKey: tokenCheckKey }),
    ...clusterOperations(parts),
    ...alertOperations({ ...parts.alertParts, inForce }),
    ...silenceOperations({ ...parts.alertParts, inForce }),
  }, changes, parts.open);
  return {
    changes,
    dispatcher,
    tokens: new TokenDirectory(adminTokens, tokenCheckKey, logger),
    tenants,
    start() {
      changes.start();
      revisions.start();
    },
    async stop() {
      await Promise.all([changes.stop(), revisions.stop()]);
    },
  };
}
