import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
/** But for hashes of models' files, which anybody may read. */
const SOURCES = globSync('{apps,libs}/*/src/**/*.ts', { cwd: ROOT }).filter((path) => !path.endsWith('.spec.ts') && !path.startsWith('libs/similarity/'));
/** What somebody would have to guess: hashes of keys and tokens, checks of their public ids, keys as they came. */
const SECRET = String.raw`(?:\w+\.)*#?(?:\w*(?:[sS]ha256|[kK]eyHash|[tT]okenHash)|checkOf|(?:admin|root|bootstrap)Key|provided|presented)(?:\([^()]*\))?`;
const OTHER = String.raw`(?!null\b|undefined\b)[\w#'"(]`;
const COMPARED = new RegExp(String.raw`${SECRET} [!=]==? ${OTHER}|[\w)'"] [!=]==? ${SECRET}\b`, 'g');
test.each(['key.keySha256 === given', 'given !== stored.tokenSha256', 'sha256(key) === this.#keySha256', 'adminKey !== key', "checkOf(name, checkKey) == check"])('%s would be found', (line) => {
  expect(line.match(COMPARED)).not.toBeNull();
});

test('no hash of a key is compared in a time that says where it differs', () => {
  expect(SOURCES.length).toBeGreaterThan(300);
  const found = SOURCES.flatMap((path) => (readFileSync(join(ROOT, path), 'utf8').match(COMPARED) ?? []).map((text) => `${path}: ${text}`));
  expect(found).toEqual([]);
});

test.each([
  ['apps/gateway/src/admin/admin-access.ts', 'timingSafeEqual(sha256(key), this.#keySha256)'],
  ['apps/router/src/admin-tokens/token-directory.ts', 'sameHash(token.tokenSha256, tokenSha256)'],
  ['apps/router/src/keys/key-directory.ts', 'sameHash(key.secret.keySha256, keySha256)'],
])('%s compares by %s', (path, call) => {
  expect(readFileSync(join(ROOT, path), 'utf8')).toContain(call);
});
