import { hash } from 'node:crypto';
import { canonicalRequest, type ParsedBody } from './canonical.ts';

/** Changes whenever the same request would get another key: old entries are then never met again, and age out. */
const KEY_VERSION = 'deja-key-1';

/** Who shares an answer, and which answer it is besides the request's own words. */
export interface KeyScope {
  tenant: string;
  /** `tenant`, `key:<id>`, `user:<id>` or `global`. */
  scope: string;
  /** Public name of the model that serves, which may be another one than the body names. */
  servedModel: string;
  /** Path of the API, as `chat/completions`. */
  endpoint: string;
}

/** Hash of everything that shapes the answer: 64 hex digits of SHA-256. */
export function exactCacheKey(body: ParsedBody, scope: KeyScope): string {
  return digest('exact', canonicalRequest(body).whole, scope);
}

/** The same without the text of the last user turn; null when the request does not end with a user turn of text. */
export function fingerprint(body: ParsedBody, scope: KeyScope): string | null {
  return cacheKeys(body, scope).fingerprint;
}

/** Both at once, for little more than the price of one. */
export function cacheKeys(body: ParsedBody, scope: KeyScope): { exact: string; fingerprint: string | null } {
  const { whole, withoutLastUserText } = canonicalRequest(body);
  return {
    exact: digest('exact', whole, scope),
    fingerprint: withoutLastUserText === null ? null : digest('fingerprint', withoutLastUserText, scope),
  };
}

function digest(kind: 'exact' | 'fingerprint', canonical: string, scope: KeyScope): string {
  // A JSON array keeps the parts apart whatever they hold, and has no line feed of its own.
  const head = JSON.stringify([KEY_VERSION, kind, scope.tenant, scope.scope, scope.endpoint, scope.servedModel]);
  return hash('sha256', `${head}\n${canonical}`, 'hex');
}
