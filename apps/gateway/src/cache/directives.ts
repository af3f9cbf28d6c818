import type { IncomingHttpHeaders } from 'node:http';
import { DejaError, type Settings } from '@deja/contracts';

/** What this request wants of the cache, after the policy has had its say. */
export interface CacheWishes {
  exact: boolean;
  semantic: boolean;
  read: boolean;
  write: boolean;
  /** Oldest acceptable entry of each kind, in seconds: who keeps answers for longer may share them with who does not want them as old. */
  oldestS: { exact: number; semantic: number };
  onlyIfCached: boolean;
  exactTtlS: number;
  semanticTtlS: number;
  /** Why the cache is not read, null when it is. */
  bypass: string | null;
}

/** Reads `cache-control`, `x-cache-mode` and `x-cache-ttl` (docs/api.md); throws a 400 that names the header. */
export function cacheWishes(headers: IncomingHttpHeaders, policy: Settings['cache']): CacheWishes {
  const control = parseControl(single(headers['cache-control']));
  const mode = single(headers['x-cache-mode'])?.toLowerCase();
  if (mode !== undefined && !['exact', 'semantic', 'off'].includes(mode)) {
    throw new DejaError('invalid_value', `Invalid value for header 'x-cache-mode': expected exact, semantic or off.`, { param: 'x-cache-mode' });
  }
  const ttlS = seconds(single(headers['x-cache-ttl']), 'x-cache-ttl');
  const off = mode === 'off';
  const exact = policy.exact.enabled && !off;
  const semantic = policy.semantic.enabled && !off && mode !== 'exact';
  const noTtl = ttlS === 0;
  return {
    exact,
    semantic,
    read: (exact || semantic) && !control.noCache && control.maxAgeS !== 0,
    write: (exact || semantic) && !control.noStore && !noTtl,
    oldestS: { exact: Math.min(control.maxAgeS ?? Infinity, policy.exact.ttl_s), semantic: Math.min(control.maxAgeS ?? Infinity, policy.semantic.ttl_s) },
    onlyIfCached: control.onlyIfCached,
    exactTtlS: Math.min(ttlS ?? Infinity, policy.exact.ttl_s),
    semanticTtlS: Math.min(ttlS ?? Infinity, policy.semantic.ttl_s),
    bypass: off ? 'mode_off' : !(exact || semantic) ? 'disabled' : control.noCache ? 'no_cache' : control.maxAgeS === 0 ? 'max_age' : null,
  };
}

interface Control {
  noCache: boolean;
  noStore: boolean;
  onlyIfCached: boolean;
  maxAgeS: number | null;
}

const NO_CONTROL: Readonly<Control> = { noCache: false, noStore: false, onlyIfCached: false, maxAgeS: null };

function parseControl(header: string | undefined): Readonly<Control> {
  if (header === undefined) return NO_CONTROL;
  const parsed = { ...NO_CONTROL };
  for (const directive of header.toLowerCase().split(',')) {
    const [name, value] = directive.split('=').map((part) => part.trim());
    if (name === 'no-cache') parsed.noCache = true;
    else if (name === 'no-store') parsed.noStore = true;
    else if (name === 'only-if-cached') parsed.onlyIfCached = true;
    else if (name === 'max-age') parsed.maxAgeS = seconds(value?.replaceAll('"', ''), 'cache-control');
  }
  return parsed;
}

function seconds(text: string | undefined, header: string): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text.trim())) throw new DejaError('invalid_value', `Invalid value for header '${header}': expected whole seconds.`, { param: header });
  return Number(text);
}

const single = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value.join(',') : value);
