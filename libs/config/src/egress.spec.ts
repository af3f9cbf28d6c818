import type { LookupAddress } from 'node:dns';
import { expect, test } from '@jest/globals';
import { checkedLookup, egressConnector, ForbiddenAddress, type Resolve } from './egress.ts';
import { outboundRule } from './outbound.ts';

const PUBLIC = { address: '8.8.8.8', family: 4 };
const PUBLIC6 = { address: '2606:4700::1111', family: 6 };
const INNER = { address: '10.0.0.1', family: 4 };
const METADATA = { address: '169.254.169.254', family: 4 };
const METADATA6 = { address: '::ffff:a9fe:a9fe', family: 6 };

const everyone: Resolve = (_host, _options, done) => done(null, [METADATA, INNER, PUBLIC6, PUBLIC, METADATA6]);
const rule = (...allow: string[]) => outboundRule(allow).rule;

/** What Node is told of a host when it asks for all addresses, or for one. */
const lookUp = (checked: Parameters<typeof checkedLookup>[0], resolve: Resolve, host = 'llm.example', options: { all?: boolean; family?: number; hints?: number } = { all: true }) =>
  new Promise<{ error: Error | null; addresses: string | LookupAddress[]; family: number | undefined }>((done) => {
    checkedLookup(checked, resolve)(host, options, (error, addresses, family) => done({ error, addresses, family }));
  });

test('of a host of the file, every address may be called but those that nobody may call', async () => {
  expect(await lookUp(null, everyone)).toMatchObject({ error: null, addresses: [INNER, PUBLIC6, PUBLIC] });
});

test('of a host of the admin API, only public addresses may be called, and those of allowed networks', async () => {
  expect(await lookUp(rule(), everyone)).toMatchObject({ error: null, addresses: [PUBLIC6, PUBLIC] });
  expect(await lookUp(rule('10.0.0.0/8'), everyone)).toMatchObject({ addresses: [INNER, PUBLIC6, PUBLIC] });
});

test('a host that is allowed by name may be anywhere but where nobody may be', async () => {
  expect(await lookUp(rule('llm.example'), everyone)).toMatchObject({ addresses: [INNER, PUBLIC6, PUBLIC] });
  expect(await lookUp(rule('*.example'), everyone)).toMatchObject({ addresses: [INNER, PUBLIC6, PUBLIC] });
});

test('a host without an address that may be called cannot be connected to', async () => {
  const metadata: Resolve = (_host, _options, done) => done(null, [METADATA, METADATA6]);
  for (const checked of [null, rule(), rule('llm.example')]) expect((await lookUp(checked, metadata)).error).toBeInstanceOf(ForbiddenAddress);
  expect((await lookUp(rule(), (_host, _options, done) => done(null, [INNER]))).error).toMatchObject({ code: 'FORBIDDEN_ADDRESS' });
});

test('who asks for one address gets the first that may be called', async () => {
  expect(await lookUp(rule(), everyone, 'llm.example', {})).toEqual({ error: null, addresses: PUBLIC6.address, family: 6 });
});

test('a host that is not found is not found, and what was asked for is asked for', async () => {
  const asked: unknown[] = [];
  const nobody: Resolve = (host, options, done) => {
    asked.push([host, options]);
    done(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }), []);
  };
  expect((await lookUp(null, nobody, 'nowhere.example', { family: 6, hints: 32 })).error).toMatchObject({ code: 'ENOTFOUND' });
  expect(asked).toEqual([['nowhere.example', { all: true, family: 6, hints: 32 }]]);
});

test.each(['169.254.169.254', 'fe80::1', '::ffff:a9fe:a9fe'])('an address that stands in the URL itself is checked as well: %s', async (hostname) => {
  const error = await new Promise((done) => {
    egressConnector(1000, null)({ hostname, protocol: 'http:', port: '80' }, (...outcomes) => done(outcomes[0]));
  });
  expect(error).toBeInstanceOf(ForbiddenAddress);
});
