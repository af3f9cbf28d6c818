import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ipBytes } from './ip-address.ts';
import { addressProblem, baseUrlProblem, isAllowedHost, isForbiddenIp, outboundRule } from './outbound.ts';
import { parseConfig } from './parse-config.ts';

const rule = (...allow: string[]) => outboundRule(allow).rule;
const NOBODY = rule();
const INNER = rule('llm.internal', '*.corp.example', '10.0.0.0/8', 'fd12::/16', '127.0.0.1');

const NEVER = ['169.254.169.254', '169.254.0.1', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fe80::1', 'febf::1', 'fd00:ec2::254', 'fd20:ce::254'];
const NOT_PUBLIC = [
  '0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.9.9.9', '172.16.0.1', '172.31.255.255', '192.168.1.1', '192.0.2.1', '198.18.0.1', '203.0.113.9', '224.0.0.1', '255.255.255.255',
  '::', '::1', 'fc00::1', 'fd12:3456::1', 'ff02::1', 'fec0::1', '2001:db8::1', '2001::1', '3fff::1', '100::1', '64:ff9b:1::8.8.8.8',
];
const PUBLIC = ['1.1.1.1', '8.8.8.8', '100.63.255.255', '100.128.0.1', '172.32.0.1', '169.253.255.255', '2606:4700::1111', '2a00:1450:4001::1', '64:ff9b::8.8.8.8', '::ffff:8.8.8.8'];

/** Every way to write an IPv4 address as an IPv6 one that leads to it. */
const asIpv6 = (ip: string): string[] => {
  const [a = 0, b = 0, c = 0, d = 0] = ipBytes(ip) ?? [];
  const hex = (high: number, low: number): string => (high * 256 + low).toString(16);
  return [`::ffff:${ip}`, `::${ip}`, `::ffff:0:${ip}`, `64:ff9b::${ip}`, `2002:${hex(a, b)}:${hex(c, d)}::1`];
};

describe('an IP address', () => {
  test.each(NEVER)('%s is never called, whatever is allowed', (ip) => {
    for (const allowed of [null, NOBODY, INNER, rule('0.0.0.0/0', '::/0')]) expect(isForbiddenIp(ip, allowed)).toBe(true);
  });

  test.each(NOT_PUBLIC)('%s is fine for the file, and not for an address of the admin API', (ip) => {
    expect([isForbiddenIp(ip, null), isForbiddenIp(ip, NOBODY), isForbiddenIp(ip, rule('0.0.0.0/0', '::/0'))]).toEqual([false, true, false]);
  });

  test.each(PUBLIC)('%s is fine for everyone', (ip) => {
    expect([isForbiddenIp(ip, null), isForbiddenIp(ip, NOBODY), isForbiddenIp(ip, INNER)]).toEqual([false, false, false]);
  });

  test('of a network that is allowed is fine, its neighbours are not', () => {
    expect(['10.255.255.255', '11.0.0.0', '127.0.0.1', '127.0.0.2', 'fd12::9', 'fd13::9'].map((ip) => isForbiddenIp(ip, INNER))).toEqual([false, false, false, true, false, true]);
    expect(isForbiddenIp('192.168.0.1', INNER)).toBe(true);
  });

  test('written as IPv6 is judged as what it leads to', () => {
    for (const ip of NEVER.filter((one) => one.includes('.'))) for (const same of asIpv6(ip)) expect([same, isForbiddenIp(same, null)]).toEqual([same, true]);
    fc.assert(fc.property(fc.ipV4(), (ip) => {
      for (const same of asIpv6(ip)) expect([same, isForbiddenIp(same, NOBODY), isForbiddenIp(same, INNER)]).toEqual([same, isForbiddenIp(ip, NOBODY), isForbiddenIp(ip, INNER)]);
    }));
  });

  test.each(['64:ff9b:1:a9fe:a9:fe00::', '64:ff9b:1:a9:fe:a9fe::', '64:ff9b:1:0:a9:fea9:fe00:0', '64:ff9b:1::169.254.169.254'])('behind a network’s own NAT64 is never called however the prefix is cut: %s', (ip) => {
    expect(isForbiddenIp(ip, rule('64:ff9b:1::/48'))).toBe(true);
  });

  test('behind a network’s own NAT64 is fine where that network is allowed', () => {
    expect(isForbiddenIp('64:ff9b:1::8.8.8.8', rule('64:ff9b:1::/48'))).toBe(false);
  });

  test('with a zone is the same address', () => {
    expect([isForbiddenIp('fe80::1%eth0', null), isForbiddenIp('2606:4700::1111%1', NOBODY)]).toEqual([true, false]);
  });

  test.each(['', 'localhost', '1.2.3', '1.2.3.4.5', '::g', '0x7f.1'])('that is none is forbidden: %j', (text) => {
    expect(isForbiddenIp(text, null)).toBe(true);
  });

  test('is read as its bytes, however it is written', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = groups.flatMap((group) => [group >> 8, group & 255]);
      const long = groups.map((group) => group.toString(16)).join(':');
      for (const text of [long, long.toUpperCase(), new URL(`http://[${long}]`).hostname.slice(1, -1)]) expect(ipBytes(text)).toEqual(bytes);
    }));
  });
});

describe('an address from the admin API', () => {
  test.each(['https://api.example.com/v1', 'https://eu.openai.azure.com', 'https://8.8.8.8', 'https://[2606:4700::1111]:8443/v1', 'http://llm.internal:8080/v1', 'http://LLM.internal./v1', 'https://a.b.corp.example', 'http://10.1.2.3:8000', 'http://127.0.0.1', 'http://[::ffff:10.1.2.3]', 'https://127-0-0-1.example.com'])(
    '%s is taken',
    (address) => {
      expect(addressProblem(address, INNER)).toBeNull();
    },
  );

  test.each([
    'https://localhost', 'https://localhost.', 'https://a.localhost:8080', 'https://redis:6379', 'https://box.local', 'https://other.internal', 'https://corp.home.arpa', 'https://192.168.0.1', 'https://[::1]', 'https://[fd99::1]', 'https://100.64.0.1',
    'https://0', 'https://3232235521', 'https://0300.0250.0.1', 'https://0xc0a80001', 'https://0xC0.0xA8.1', 'https://192.168.1', 'https://[::ffff:192.168.0.1]', 'https://[64:ff9b::c0a8:1]', 'https://[2002:c0a8:1::]', 'https://１９２.168.0.1', 'https://192。168。0。1',
  ])('%s is refused: it is not on the public internet', (address) => {
    expect(addressProblem(address, INNER)).toMatch(/^must not name \S+, which is not on the public internet: use a public address, or add \S+ to outbound.allow in deja.yaml$/);
  });

  test.each(['http://api.example.com', 'http://8.8.8.8', 'http://corp.example'])('%s is refused: what is sent there could be read on the way', (address) => {
    expect(addressProblem(address, INNER)).toMatch(/^must start with https:\/\//);
  });

  test.each([
    'http://169.254.169.254', 'https://2852039166', 'https://0xa9fea9fe', 'https://0251.0376.0251.0376', 'https://169.254.43518', 'https://[::ffff:a9fe:a9fe]', 'https://[::169.254.169.254]', 'https://[64:ff9b::169.254.169.254]', 'https://[2002:a9fe:a9fe::1]',
    'https://[fe80::1]', 'https://[fd00:ec2::254]', 'https://[fd00:0ec2:0:0:0:0:0:254]', 'https://[fd20:ce::254]', 'https://100.100.100.200', 'https://168.63.129.16', 'http://metadata.google.internal/computeMetadata/v1', 'https://METADATA.google.internal.', 'https://metadata.goog',
  ])('%s is refused always, in the file too', (address) => {
    const everything = rule('0.0.0.0/0', '::/0', '*.internal');
    for (const problem of [addressProblem(address, everything), baseUrlProblem(address)]) expect(problem).toMatch(/^must not name \S+: link-local and metadata addresses are never called$/);
  });

  test.each([
    ['nothing', 'must be a URL'],
    ['https://', 'must be a URL'],
    ['https://256.1.1.1', 'must be a URL'],
    ['file:///etc/passwd', 'must start with https:// or http://'],
    ['https://user@api.example.com', 'must hold neither user'],
    ['https://api.example.com@10.0.0.1', 'must hold neither user'],
    ['https://api.example.com/?a=b', 'must end before any ?'],
    ['https://api.example.com/#a', 'must end before any ?'],
  ])('%s is refused: %s', (address, message) => {
    expect(addressProblem(address, INNER)).toContain(message);
  });

  test('is never taken when the address it leads to is forbidden', () => {
    fc.assert(fc.property(fc.ipV4(), (ip) => {
      const number = (ipBytes(ip) ?? []).reduce((sum, byte) => sum * 256 + byte, 0);
      for (const host of [ip, String(number), `0x${number.toString(16)}`, `0${number.toString(8)}`, ...asIpv6(ip).map((same) => `[${same}]`)]) {
        expect([host, addressProblem(`https://${host}/v1`, INNER) === null]).toEqual([host, !isForbiddenIp(ip, INNER)]);
      }
    }));
  });
});

describe('outbound.allow', () => {
  test('takes hosts, all hosts below one, networks and single addresses', () => {
    expect(outboundRule(['llm.internal', 'LLM2', '*.example.com', 'münchen.example', '10.0.0.0/8', '10.9.8.7', 'fd00::/8', '::1', '127.0.0.1/32', 'my_host'])).toMatchObject({ problems: [] });
    expect(isAllowedHost('llm2', rule('LLM2'))).toBe(true);
    expect(isAllowedHost('xn--mnchen-3ya.example', rule('münchen.example'))).toBe(true);
  });

  test('*.example.com is every host below example.com, and neither it nor what only ends like it', () => {
    const below = rule('*.example.com');
    expect(['a.example.com', 'A.B.Example.com.', 'example.com', 'badexample.com', 'example.com.evil.test'].map((host) => isAllowedHost(host, below))).toEqual([true, true, false, false, false]);
  });

  test.each(['https://llm.internal', 'llm.internal:80', 'llm.internal/v1', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0/8', '*', '*.', 'a*.example.com', '*.*.example.com', '-a.example.com', 'a..b', '2130706433', '0x7f.1', '[::1]', 'fd00::/129', 'a b', '', ' '])('%j is refused, and says what to write', (entry) => {
    const { rule: made, problems } = outboundRule(['ok', entry]);
    expect(problems).toEqual([{ index: 1, message: `${JSON.stringify(entry)} is neither a host nor a network: write a host (llm.internal), all hosts below one (*.example.com) or a network (10.0.0.0/8), without a scheme, port or path` }]);
    expect(made.key).toBe(rule('ok').key);
  });

  test.each(['169.254.169.254', '169.254.0.0/16', 'fe80::/10', '::ffff:169.254.169.254', 'metadata.google.internal', 'fd00:ec2::254'])('%s is refused: nothing makes it good', (entry) => {
    expect(outboundRule([entry]).problems).toEqual([{ index: 0, message: `${entry} is a link-local or metadata address, which is never called: take it out` }]);
  });

  test('equal lists make rules of equal keys, others of other keys', () => {
    expect(rule('a', '10.0.0.0/8').key).toBe(rule('A', '10.0.0.0/8').key);
    expect(new Set([rule(), rule('a'), rule('*.a'), rule('10.0.0.0/8'), rule('a', 'b')].map((made) => made.key)).size).toBe(5);
  });

  test('of deja.yaml is checked like everything else there', () => {
    const result = parseConfig('outbound: { allow: [llm.internal, "http://x"] }', { openaiApiKeys: [], openaiBaseUrl: null, variables: {} });
    expect(result).toMatchObject({ ok: false, errors: [{ path: 'outbound.allow[1]', message: expect.stringContaining('neither a host nor a network') }] });
  });
});
