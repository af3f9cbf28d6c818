import { describe, expect, test } from '@jest/globals';
import { networks } from '@deja/config';
import fc from 'fast-check';
import { clientAddress, ClientAddresses, isInNetworks } from './client-address.ts';

const TRUSTED = networks('10.0.0.0/8', '2001:db8:aaaa::/48');

describe('the address that a request comes from', () => {
  test.each([
    ['nobody is trusted: the socket says it', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['a proxy that is trusted says it', '10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['of several proxies, the farthest that is trusted', '10.0.0.1', '198.51.100.1, 10.2.2.2,10.3.3.3', '198.51.100.1'],
    ['one that is not trusted in between ends the matter', '10.0.0.1', '10.9.9.9, 198.51.100.7, 10.3.3.3', '198.51.100.7'],
    ['only trusted proxies: the first of them', '10.0.0.1', '10.5.5.5, 10.3.3.3', '10.5.5.5'],
    ['a trusted proxy that says nothing: itself', '10.0.0.1', undefined, '10.0.0.1'],
    ['a trusted proxy that says nothing in many words', '10.0.0.1', ' , ,', '10.0.0.1'],
    ['a port is no part of it', '10.0.0.1', '198.51.100.1:5555', '198.51.100.1'],
    ['nor is one behind brackets', '10.0.0.1', '[2001:DB8::1]:443', '2001:db8::1'],
    ['nor brackets alone', '10.0.0.1', '[2001:db8::1]', '2001:db8::1'],
    ['IPv6 proxies', '2001:db8:aaaa::1', '198.51.100.1', '198.51.100.1'],
    ['IPv4 in IPv6, as sockets that take both give it', '::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['the same of a proxy', '::ffff:10.0.0.1', '::ffff:c633:6401', '198.51.100.1'],
    ['a zone is no part of it', 'fe80::1%eth0', undefined, 'fe80::1'],
    ['a word in place of the address', '10.0.0.1', 'unknown', null],
    ['garbage behind the address', '10.0.0.1', '198.51.100.1, x', null],
    ['no socket address', undefined, '198.51.100.1', null],
  ])('%s', (_why, socket, forwarded, expected) => {
    expect(clientAddress(socket, forwarded, _why.startsWith('nobody') ? null : TRUSTED)).toBe(expected);
  });

  test('several headers count as one', () => {
    expect(clientAddress('10.0.0.1', ['198.51.100.1', '10.3.3.3'], TRUSTED)).toBe('198.51.100.1');
  });

  test('of a request, with the proxies of the environment', () => {
    const request = { headers: { 'x-forwarded-for': '198.51.100.1' }, socket: { remoteAddress: '10.0.0.1' } };
    expect(new ClientAddresses(['10.0.0.0/8']).of(request)).toBe('198.51.100.1');
    expect(new ClientAddresses([]).of(request)).toBe('10.0.0.1');
  });

  test('is told anew for another connection, and where one says another', () => {
    const addresses = new ClientAddresses([]);
    const socket: { remoteAddress?: string } = { remoteAddress: '10.0.0.1' };
    expect(addresses.of({ headers: {}, socket })).toBe('10.0.0.1');
    expect(addresses.of({ headers: {}, socket: { remoteAddress: '10.0.0.2' } })).toBe('10.0.0.2');
    delete socket.remoteAddress; // as of one that has ended
    expect(addresses.of({ headers: {}, socket })).toBeNull();
  });

  test('is not changed by anything that the client writes into x-forwarded-for', () => {
    const real = fc.ipV4().filter((ip) => !ip.startsWith('10.'));
    const claimed = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('10.1.1.1'), fc.string({ maxLength: 12 })), { maxLength: 5 });
    fc.assert(fc.property(real, claimed, (ip, lies) => {
      // The trusted proxy adds whom it heard from behind what was there.
      expect(clientAddress('10.0.0.1', [...lies, ip].join(', '), TRUSTED)).toBe(ip);
      // Who comes without a proxy cannot claim to be one.
      expect(clientAddress(ip, lies.join(', '), TRUSTED)).toBe(ip);
    }));
  });
});

describe('networks of a key', () => {
  test.each([
    ['192.0.2.7', ['192.0.2.0/24'], true],
    ['192.0.3.7', ['192.0.2.0/24'], false],
    ['192.0.2.7', ['192.0.2.7'], true],
    ['2001:db8::7', ['2001:db8::/32'], true],
    ['2001:db9::7', ['2001:db8::/32'], false],
    ['2001:db8::7', ['2001:0db8:0:0::7'], true],
    ['192.0.2.7', ['::ffff:192.0.2.0/120'], true],
    ['192.0.2.7', ['0.0.0.0/0'], true],
    ['2001:db8::7', ['0.0.0.0/0'], false],
    ['192.0.2.7', ['2001:db8::/32', '192.0.2.0/24'], true],
    ['192.0.2.7', ['no network'], false],
    ['192.0.2.7', [], false],
    ['no address', ['0.0.0.0/0', '::/0'], false],
  ])('%s in %j: %s', (address, cidrs, expected) => {
    expect(isInNetworks(address, cidrs)).toBe(expected);
  });

  test('an address is in every network that is a prefix of it', () => {
    fc.assert(fc.property(fc.ipV4(), fc.nat(32), (ip, length) => isInNetworks(ip, [`${ip}/${length}`])));
    fc.assert(fc.property(fc.ipV6(), fc.nat(128), (ip, length) => isInNetworks(ip, [`${ip}/${length}`])));
  });
});
