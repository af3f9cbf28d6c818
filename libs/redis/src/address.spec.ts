import { describe, expect, test } from '@jest/globals';
import { redisAddress } from './address.ts';

describe('a Redis URL', () => {
  test('names one server, with a port of its own or the usual one', () => {
    expect(redisAddress('redis://h:7000/2')).toEqual({ isCluster: false, nodes: [{ host: 'h', port: 7000 }], username: null, password: null, tls: false });
    expect(redisAddress('rediss://u:p%40ss@[::1]')).toEqual({ isCluster: false, nodes: [{ host: '::1', port: 6379 }], username: 'u', password: 'p@ss', tls: true });
  });

  test('names a cluster by several of its nodes', () => {
    const nodes = [{ host: 'a', port: 7000 }, { host: 'b', port: 6379 }, { host: 'c', port: 7002 }];
    expect(redisAddress('redis://:p@a:7000,redis://b, redis://c:7002')).toEqual({ isCluster: true, nodes, username: null, password: 'p', tls: false });
  });

  test('names a cluster by the one address that all of its nodes are found at', () => {
    expect(redisAddress('rediss+cluster://config.example:6380')).toEqual({ isCluster: true, nodes: [{ host: 'config.example', port: 6380 }], username: null, password: null, tls: true });
    expect(redisAddress('redis+cluster://h').isCluster).toBe(true);
  });

  test('may have a comma in its password', () => {
    expect(redisAddress('redis://:a,b@h:1')).toMatchObject({ isCluster: false, password: 'a,b', nodes: [{ host: 'h', port: 1 }] });
    expect(redisAddress('redis://:a,b@h:1,redis://i:2').nodes).toEqual([{ host: 'h', port: 1 }, { host: 'i', port: 2 }]);
  });

  test.each(['', 'h:1', 'http://:planted@h', 'redis://:planted@h:1,', 'redis://:planted@h:1,i:2'])('is refused without its password being repeated when it is none: %j', (text) => {
    expect(() => redisAddress(text)).toThrow(/^a Redis URL (?!.*planted)/);
  });
});
