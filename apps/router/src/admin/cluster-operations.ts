import type { Environment } from '@deja/config';
import { DejaError } from '@deja/contracts';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { auditObject, listAudit } from '../audit/audit-log.ts';
import type { ConfigFile } from '../config-file.ts';
import type { ConfigurationInForce } from '../configuration-in-force.ts';
import type { SnapshotPublisher } from '../snapshot/snapshot-publisher.ts';
import { configObject } from './config-object.ts';
import { configVerdict } from './config-problems.ts';
import type { Handlers } from './handlers.ts';
import { afterOf, isUuid, pageOf } from './pages.ts';
import { tenantToList } from './scope.ts';

const MOST_PLACES = 5;

export interface ClusterParts {
  db: NodePgDatabase;
  environment: Environment & { variables: NodeJS.ProcessEnv };
  configFile: Pick<ConfigFile, 'path' | 'isThere' | 'loadedAtMs' | 'refused' | 'check'>;
  inForce: Pick<ConfigurationInForce, 'configuration'>;
  publisher: Pick<SnapshotPublisher, 'version'>;
}

/** The operations of the admin API on the audit log and the configuration. */
export function clusterOperations({ db, environment, configFile, inForce, publisher }: ClusterParts): Pick<Handlers, 'listAudit' | 'getConfig' | 'validateConfig' | 'reloadConfig'> {
  /** null before the first publication. */
  const snapshotVersion = (): number | null => (publisher.version === 0 ? null : publisher.version);
  return {
    async listAudit({ by, query }) {
      const after = afterOf('audit', query.cursor, isUuid);
      const entries = await listAudit(db, query, tenantToList(by, query.tenant), after, query.limit + 1);
      return { body: pageOf('audit', entries, query.limit, auditObject), etag: null };
    },

    getConfig() {
      const source = configFile.isThere ? configFile.path : 'environment';
      const body = { object: 'config' as const, source, loaded_at: new Date(configFile.loadedAtMs).toISOString(), snapshot_version: snapshotVersion(), config: configObject(inForce.configuration) };
      return Promise.resolve({ body, etag: null });
    },

    async validateConfig({ body }) {
      return { body: await configVerdict(body.yaml, environment), etag: null };
    },

    async reloadConfig() {
      const changed = await configFile.check();
      // What is wrong may repeat what the file refers to, and that is not for everyone who may call this: the log has it.
      const places = configFile.refused.slice(0, MOST_PLACES).map(({ path, line }) => (path === '' ? `line ${line}` : `${path} (line ${line})`));
      if (places.length > 0) throw new DejaError('invalid_value', `The file is refused, and the last good configuration stays: see ${places.join(', ')}, and the router's log.`);
      const body = { object: 'config_reload' as const, changed, snapshot_version: snapshotVersion() };
      return { body, etag: null, audit: { action: 'reloadConfig', resource: 'config', resourceId: null, tenant: null, before: null, after: body } };
    },
  };
}
