import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FakeTransit } from './fake-transit.ts';

let fake: FakeTransit;
beforeAll(async () => {
  fake = await FakeTransit.start();
});
afterAll(() => fake.stop());

async function ask(path: string, body: object | null, token = fake.token): Promise<{ status: number; body: any }> {
  const response = await fetch(`${fake.address}/v1/${path}`, { method: body === null ? 'GET' : 'POST', headers: { 'x-vault-token': token }, body: body === null ? null : JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

describe('the fake transit engine', () => {
  test('gives back what it encrypted, moves it to a newer version, and no longer opens what is too old', async () => {
    const plaintext = Buffer.from('text').toString('base64');
    const { body: { data: first } } = await ask('transit/encrypt/deja', { plaintext });
    expect(first).toEqual({ ciphertext: expect.stringMatching(/^vault:v1:/), key_version: 1 });
    expect(await ask('transit/keys/deja/rotate', {})).toMatchObject({ status: 200 });
    const { body: { data: second } } = await ask('transit/rewrap/deja', { ciphertext: first.ciphertext });
    expect(second).toEqual({ ciphertext: expect.stringMatching(/^vault:v2:/), key_version: 2 });
    expect(await ask('transit/keys/deja/config', { min_decryption_version: 2 })).toMatchObject({ status: 200 });
    expect(await ask('transit/keys/deja', null)).toMatchObject({ status: 200, body: { data: { latest_version: 2, min_decryption_version: 2 } } });
    expect(await ask('transit/decrypt/deja', { ciphertext: second.ciphertext })).toMatchObject({ status: 200, body: { data: { plaintext } } });
    expect(await ask('transit/decrypt/deja', { ciphertext: first.ciphertext })).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('too old')] } });
  });

  test('answers with errors as Vault does', async () => {
    expect(await ask('transit/encrypt/deja', { plaintext: '' }, 'another')).toEqual({ status: 403, body: { errors: ['permission denied'] } });
    expect(await ask('kv/encrypt/deja', { plaintext: '' })).toMatchObject({ status: 404, body: { errors: [expect.any(String)] } });
    expect(await ask('transit/decrypt/other', { ciphertext: 'vault:v1:AAAA' })).toEqual({ status: 400, body: { errors: ['encryption key not found'] } });
    expect(await ask('transit/decrypt/deja', { ciphertext: 'AAAA' })).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('invalid ciphertext')] } });
    expect(await ask('transit/encrypt/deja', { plaintext: '!' })).toMatchObject({ status: 400 });
  });
});
