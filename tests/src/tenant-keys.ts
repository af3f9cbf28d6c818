import OpenAI from 'openai';
import type { TestCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';

/** What is said of a key when it is made, as docs/admin.md has it. */
export interface KeyOptions {
  /** Public models; all unless given. */
  models?: string[] | null;
  limits?: object;
  [setting: string]: unknown;
}

/** A new client key of this tenant, which is made if it is not there. */
export async function newKey(cluster: TestCluster, tenant: string, options: KeyOptions = {}): Promise<string> {
  return (await newKeyWithId(cluster, tenant, options)).key;
}

/** The same, with the id under which the admin API has it. */
export async function newKeyWithId(cluster: TestCluster, tenant: string, options: KeyOptions = {}): Promise<{ id: string; key: string }> {
  const admin = new AdminClient(cluster);
  const made = await admin.call('POST', 'tenants', { id: tenant, name: tenant });
  if (made.status !== 201 && made.status !== 409) throw new Error(`the tenant ${tenant} was not made: ${made.status} ${made.text}`);
  const { id, key } = await admin.done('POST', 'keys', { tenant, name: 'test', ...options });
  return { id: String(id), key: String(key) };
}

/** The official SDK with this key. Retries are the gateway's, not the SDK's. */
export const sdkWith = (cluster: TestCluster, key: string): OpenAI => new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: key, maxRetries: 0, timeout: 30_000 });
