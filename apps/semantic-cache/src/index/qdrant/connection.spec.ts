import { clientOptions, exposesKey } from './connection.ts';

test.each([
  ['http://qdrant', { url: 'http://qdrant' }], // the client's own default is Qdrant's port
  ['http://qdrant:6333/', { url: 'http://qdrant:6333' }],
  ['https://qdrant.example.com:443', { url: 'https://qdrant.example.com', port: null }],
  ['http://qdrant.example.com:80/', { url: 'http://qdrant.example.com', port: null }],
  ['http://[::1]:6333', { url: 'http://[::1]:6333' }],
  ['https://example.com:8443/vectors/', { url: 'https://example.com:8443', prefix: '/vectors' }],
])('%s is reached at its own port and path', (url, expected) => {
  const { url: at, prefix, port } = clientOptions({ url, apiKey: null }, 150);
  expect({ url: at, ...(prefix === undefined ? {} : { prefix }), ...(port === undefined ? {} : { port }) }).toEqual(expected);
});

test('a key is a header, so that the client prints nothing about it, and no part of a URL is sent as one', () => {
  expect(clientOptions({ url: 'http://qdrant:6333', apiKey: 'a-key' }, 150)).toEqual({
    url: 'http://qdrant:6333', timeout: 150, checkCompatibility: false, headers: { 'accept-encoding': 'identity', 'api-key': 'a-key' },
  });
});

test('a key is exposed where it leaves the machine unencrypted', () => {
  const exposed = (url: string, apiKey: string | null = 'a-key'): boolean => exposesKey({ url, apiKey });
  expect(['http://qdrant:6333', 'http://127.0.0.1.example.com', 'http://10.0.0.1'].map((url) => exposed(url))).toEqual([true, true, true]);
  expect(['https://qdrant:6333', 'http://localhost:6333', 'http://127.0.0.1', 'http://[::1]:6333'].map((url) => exposed(url))).toEqual([false, false, false, false]);
  expect(exposed('http://qdrant:6333', null)).toBe(false);
});
