import { describe, expect, test } from '@jest/globals';
import { findConnection, type ConnectionOptions } from './connection.ts';

const READY = JSON.stringify({ base_url: 'http://127.0.0.1:3000', key: 'sk-deja-x', admin_key_file: '/deja/.deja/secrets/admin-key' });
const FILES: Record<string, string> = { '/deja/.deja/run/ready.json': READY, '/deja/.deja/secrets/admin-key': 'key-of-the-cluster\n', '/tokens/ci': ' deja-admin-ci\n' };

const find = (options: ConnectionOptions, env: NodeJS.ProcessEnv = {}, files = FILES) => findConnection(options, {
  env,
  root: '/deja',
  readText: (path) => (path in files ? Promise.resolve(files[path]!) : Promise.reject(Object.assign(new Error(path), { code: 'ENOENT' }))),
});

test('without a word it is the cluster that runs here, with its own key', async () => {
  expect(await find({})).toEqual({ baseUrl: 'http://127.0.0.1:3000', adminKey: 'key-of-the-cluster', keyFrom: '/deja/.deja/secrets/admin-key' });
  const elsewhere = { '/data/run/ready.json': READY, '/deja/.deja/secrets/admin-key': 'k' };
  expect(await find({}, { DEJA_DATA_DIR: '/data' }, elsewhere)).toMatchObject({ adminKey: 'k' });
});

test('the command line comes before the environment, and the environment before what runs here', async () => {
  const env = { DEJA_URL: 'https://gateway.example', DEJA_ADMIN_KEY: 'of-env' };
  expect(await find({}, env)).toMatchObject({ baseUrl: 'https://gateway.example', adminKey: 'of-env', keyFrom: 'DEJA_ADMIN_KEY' });
  expect(await find({ url: 'http://other:1', adminKeyFile: '/tokens/ci' }, env)).toEqual({ baseUrl: 'http://other:1', adminKey: 'deja-admin-ci', keyFrom: '/tokens/ci' });
  expect(await find({}, { DEJA_ADMIN_KEY: 'of-env' })).toMatchObject({ baseUrl: 'http://127.0.0.1:3000', adminKey: 'of-env' });
  expect(await find({}, { DEJA_URL: ' ', DEJA_ADMIN_KEY: '' })).toMatchObject({ adminKey: 'key-of-the-cluster' });
});

test('the key of the cluster here goes to no other address', async () => {
  await expect(find({ url: 'http://elsewhere:3000' })).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('There is no admin key for http://elsewhere:3000') });
  expect(await find({ url: 'http://127.0.0.1:3000/' })).toMatchObject({ adminKey: 'key-of-the-cluster' });
});

describe('a cluster whose admin API has a port of its own', () => {
  const ready = (adminUrl: string | null): Record<string, string> => ({ ...FILES, '/deja/.deja/run/ready.json': JSON.stringify({ ...(JSON.parse(READY) as object), admin_url: adminUrl }) });
  const OWN = ready('http://127.0.0.1:3100');

  test('is called there, and its key goes to both of its addresses and to no other', async () => {
    expect(await find({}, {}, OWN)).toMatchObject({ baseUrl: 'http://127.0.0.1:3100', adminKey: 'key-of-the-cluster' });
    expect(await find({}, { DEJA_ADMIN_KEY: 'of-env' }, OWN)).toMatchObject({ baseUrl: 'http://127.0.0.1:3100', adminKey: 'of-env' });
    for (const url of ['http://127.0.0.1:3100', 'http://127.0.0.1:3000']) expect(await find({ url }, {}, OWN)).toMatchObject({ baseUrl: url, adminKey: 'key-of-the-cluster' });
    await expect(find({ url: 'http://127.0.0.1:3101' }, {}, OWN)).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('There is no admin key for http://127.0.0.1:3101') });
  });

  test('or that has none says so, before anybody is called', async () => {
    await expect(find({}, {}, ready(null))).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('DEJA_ADMIN=off') });
    await expect(find({}, { DEJA_ADMIN_KEY: 'k' }, ready(null))).rejects.toMatchObject({ exitCode: 3 });
    expect(await find({ url: 'http://elsewhere:1' }, { DEJA_ADMIN_KEY: 'k' }, ready(null))).toMatchObject({ baseUrl: 'http://elsewhere:1' });
  });
});

test.each([
  ['http://a:1/v1', 'http://a:1'], ['http://a:1/admin/v1/', 'http://a:1'], ['https://a/deja', 'https://a/deja'], ['https://a/deja/v1', 'https://a/deja'], ['HTTP://A:80', 'http://a'],
])('%s is the cluster at %s', async (url, baseUrl) => expect(await find({ url }, { DEJA_ADMIN_KEY: 'k' })).toMatchObject({ baseUrl }));

test.each(['localhost:3000', 'ftp://a', 'http://user:pass@a', 'http://a?x=1', 'x', ''])('%j is no address: wrong usage', async (url) => {
  await expect(find({ url }, { DEJA_ADMIN_KEY: 'k' })).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('write for example http://127.0.0.1:3000') });
});

test('where no cluster runs it says how to have one', async () => {
  await expect(find({}, {}, {})).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('/deja/.deja/run/ready.json'), hints: [expect.stringContaining('npm start')] });
  await expect(find({}, {}, { '/deja/.deja/run/ready.json': '{}' })).rejects.toMatchObject({ exitCode: 3 });
});

test('a key that cannot be read, or is none, is told without its text', async () => {
  await expect(find({ adminKeyFile: '/none' })).rejects.toMatchObject({ exitCode: 2, message: "The admin key's file /none cannot be read (ENOENT)." });
  await expect(find({}, { DEJA_ADMIN_KEY: 'two words' })).rejects.toMatchObject({ exitCode: 2, message: expect.not.stringContaining('words') });
});
