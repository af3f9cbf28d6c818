import { describe, expect, test } from '@jest/globals';
import type { AlertReceiver, AlertSettings, JsonWebKeyPublic } from '@deja/contracts';
import { CompactEncrypt, importJWK } from 'jose';
import { AlertSettingsWatch, type FetchSettings } from './alert-settings.ts';

const receivers: AlertReceiver[] = [{ kind: 'webhook', url: 'https://hooks.example.com/secret-path', secret: 's' }];

/** As a router does it. */
async function sealed(text: string, publicKey: JsonWebKeyPublic): Promise<string> {
  return await new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(await importJWK({ ...publicKey }, 'ECDH-ES'));
}
const settingsFor = async (version: string, publicKey: JsonWebKeyPublic): Promise<AlertSettings> => ({
  version, silences: [], smtp: null, budgets: { tenants: [], keys: [] },
  rules: [{ id: 'file:burn', name: 'burn', source: 'file', enabled: true, when: { metric: 'queue_lag_s' }, group_by: [], repeat_s: null, receivers: await sealed(JSON.stringify(receivers), publicKey) }],
});

function watching() {
  const router = { version: '1' as string | null, asked: [] as (string | null)[] };
  const lines: string[] = [];
  const ask: FetchSettings = async ({ known, publicKey }) => {
    router.asked.push(known);
    if (router.version === null) throw new Error('nobody answers');
    return { settings: known === router.version ? null : await settingsFor(router.version, publicKey) };
  };
  const log = (_fields: object, message: string): number => lines.push(message);
  return { router, lines, watch: new AlertSettingsWatch(ask, { warn: log, info: log } as never) };
}

describe('what alerts are decided by', () => {
  test('is not known before a router was heard, and asked for by the version that is known', async () => {
    const { router, watch } = watching();
    expect(watch.settings()).toBeNull();
    await watch.look();
    const first = watch.settings();
    await watch.look();
    expect(watch.settings()).toBe(first);
    router.version = '2';
    await watch.look();
    expect([watch.settings()?.version, router.asked]).toEqual(['2', [null, '1', '1']]);
  });

  test('stays in force while no router answers, which is said once', async () => {
    const { router, watch, lines } = watching();
    await watch.look();
    router.version = null;
    await watch.look();
    await watch.look();
    expect(watch.settings()?.version).toBe('1');
    router.version = '1';
    await watch.look();
    expect(lines).toEqual(['no router tells alert rules; those that are known stay in force', 'routers tell alert rules again']);
  });

  test('tells who is told in clear to this process alone', async () => {
    const [one, other] = [watching().watch, watching().watch];
    await one.look();
    expect(await one.receivers('file:burn')).toEqual(receivers);
    expect(await one.receivers('file:other')).toEqual([]);
    const { receivers: jwe } = one.settings()!.rules[0]!;
    expect(jwe).not.toContain('secret-path');
    await expect(other.open(jwe)).rejects.toThrow('decryption operation failed');
  });
});
