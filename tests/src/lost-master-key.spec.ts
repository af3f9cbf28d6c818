import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryDirectory } from '@deja/launcher';
import { fakeProvider, testCluster, type FakeProvider, type TestCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { chat, eventually, post } from './client.ts';
import { newKey } from './tenant-keys.ts';

const masterKey = (name: string): string => `${name}:${randomBytes(32).toString('base64')}`;
const FORGET = new URL('../../deploy/forget-master-key.sql', import.meta.url);

let provider: FakeProvider;
let cluster: TestCluster;
let admin: AdminClient;
let file: string;

let directory: string;
beforeAll(async () => {
  provider = await fakeProvider();
  directory = await temporaryDirectory('deja-lost-key-');
  file = join(directory, 'master-key');
  await writeFile(file, masterKey('lost'));
  const config = { providers: { fake: { kind: 'openai', server: 'openai', base_url: provider.url, credentials: [] } }, models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }] };
  cluster = await testCluster({ config, apps: ['gateway', 'router', 'usage-worker'], env: { DEJA_MASTER_KEY_FILE: file } });
  admin = new AdminClient(cluster);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
  await rm(directory, { recursive: true, force: true });
});

let questions = 0;
async function asked(key: string): Promise<{ status: number; id: string }> {
  const { status, headers } = await post({ url: cluster.url, key }, chat(`Question ${questions++} around a lost key.`));
  return { status, id: headers.get('x-request-id') ?? '' };
}
const captured = (id: string): Promise<Record<string, unknown>> =>
  eventually('what was captured', async () => {
    const { status, json } = await admin.call('GET', `requests/${id}`);
    return status === 200 ? (json['captured'] as Record<string, unknown> | null) : null;
  });
const whenServed = (key: string): Promise<unknown> => eventually('an answer', async () => (await asked(key)).status === 200);

test('when the master key is lost, what it wraps is given up by name, and with a new one the cluster goes on: client keys and ledger as before, credentials and alert rules put in again', async () => {
  const key = await newKey(cluster, 'acme');
  await admin.create({ provider: 'fake', name: 'main', value: 'sk-before-the-loss-0123456789' });
  await admin.done('POST', 'alerts', { name: 'told', when: { metric: 'error_rate' }, notify: [{ webhook: 'https://hooks.example.com/secret' }] });
  await whenServed(key);
  const { id: before } = await asked(key);
  expect(await captured(before)).toMatchObject({ shredded: false, request: expect.anything() });

  await cluster.suspend('router');
  await writeFile(file, masterKey('new'));
  // A router without the key does not start, and says which one it wants: apps that have started before are started again and again.
  await cluster.resume('router');
  expect((await cluster.whenLogged('the vault holds values under the master key "lost", which is missing')).from).toBe('router-1');
  await cluster.suspend('router');
  await cluster.sql("select set_config('deja.lost', 'lost', false)");
  await cluster.sql(await readFile(FORGET, 'utf8'));

  await cluster.resume('router');
  await cluster.waitReady();
  await cluster.restart('gateway'); // it would go on with the data keys that it knows for ten minutes
  expect(await admin.list()).toEqual([]);
  expect((await admin.done('GET', 'alerts')).data).toEqual([]);
  expect(await captured(before)).toMatchObject({ shredded: true, request: null });
  await admin.create({ provider: 'fake', name: 'main', value: 'sk-after-the-loss-0123456789' });
  await whenServed(key);
  expect(provider.requests.at(-1)?.credential).toBe('sk-after-the-loss-0123456789');
  const { id: after } = await asked(key);
  expect(await captured(after)).toMatchObject({ shredded: false, request: expect.anything() });
  expect(await cluster.sql('select distinct key_id from router.data_keys union select key_id from router.credential_values union select key_id from router.intake_key')).toEqual([{ key_id: 'new' }]);
  expect(await cluster.sql('select id from usage.operations where id = $1', [before])).toHaveLength(1);
}, 120_000);
