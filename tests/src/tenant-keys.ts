import { createHash, randomBytes } from 'node:crypto';
import OpenAI from 'openai';
import type { TestCluster } from '@deja/testing';

export interface KeyOptions {
  /** Public models; all unless given. */
  models?: string[];
  limits?: object;
}

/** A new client key of this tenant, which is made if it is not there. */
export async function newKey(cluster: TestCluster, tenant: string, { models, limits = {} }: KeyOptions = {}): Promise<string> {
  const key = `sk-deja-${tenant}-${randomBytes(16).toString('hex')}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  await cluster.sql('insert into router.tenants (id, name) values ($1, $1) on conflict do nothing', [tenant]);
  await cluster.sql("insert into router.client_keys (id, tenant, key_sha256, name, models, limits) values (gen_random_uuid(), $1, $2, 'test', $3, $4)", [tenant, sha256, models === undefined ? null : JSON.stringify(models), JSON.stringify(limits)]);
  return key;
}

/** The official SDK with this key. Retries are the gateway's, not the SDK's. */
export const sdkWith = (cluster: TestCluster, key: string): OpenAI => new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: key, maxRetries: 0, timeout: 30_000 });
