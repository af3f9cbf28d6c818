import type { cachePolicy, validation } from '@deja/admin-api';
import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { parseSeconds, secondsWords } from './times.ts';

export type CachePolicy = z.output<typeof cachePolicy>;
export type Validation = z.output<typeof validation>;
/** One `--cache` or `--validation`: what it makes of what was there. */
export type Change<T> = (current: T) => T;

const CACHE_FORMS = 'write scope=key|user|tenant, exact=on|off, exact_ttl=1h, semantic=on|off, semantic_ttl=1d, verification=strict|balanced, max_wrong_rate=0.01 or max_wrong_rate:MODEL=0.001; =default leaves it to deja.yaml';
const COUNTS = ['max_body_bytes', 'max_messages', 'max_input_tokens', 'max_output_tokens'] as const;
const VALIDATION_FORMS = `write ${COUNTS.join('=1000, ')}=1000 or over_output=refuse|clamp; =default leaves it to deja.yaml`;

/** `scope=user`, `exact=off`, `semantic_ttl=1d`; `default` in place of the value leaves it to deja.yaml. */
export function parseCache(text: string): Change<CachePolicy> {
  const [, name = '', value = ''] = /^([a-z_]+(?::[^=]+)?)=(.+)$/.exec(text) ?? [];
  if (name === 'verification' || name === 'max_wrong_rate' || name.startsWith('max_wrong_rate:')) return parseSemantic(name, value);
  const part = name.startsWith('exact') ? 'exact' : 'semantic';
  if (name === 'scope') {
    const scope = value === 'default' ? undefined : oneOf(value, ['key', 'user', 'tenant'] as const, CACHE_FORMS);
    return (current) => said({ ...current, scope });
  }
  if (name === part) {
    const enabled = value === 'default' ? undefined : oneOf(value, ['on', 'off'] as const, CACHE_FORMS) === 'on';
    return (current) => said({ ...current, [part]: orNothing({ ...current[part], enabled }) });
  }
  if (name !== `${part}_ttl`) throw new InvalidArgumentError(CACHE_FORMS);
  const ttl = value === 'default' ? undefined : parseSeconds(value);
  return (current) => said({ ...current, [part]: orNothing({ ...current[part], ttl_s: ttl }) });
}

/** What decides on semantic answers. */
function parseSemantic(name: string, value: string): Change<CachePolicy> {
  if (name === 'verification') {
    const verification = value === 'default' ? undefined : oneOf(value, ['strict', 'balanced'] as const, CACHE_FORMS);
    return (current) => said({ ...current, semantic: orNothing({ ...current.semantic, verification }) });
  }
  const rate = value === 'default' ? undefined : Number(value);
  if (rate !== undefined && !(rate >= 0 && rate <= 1)) throw new InvalidArgumentError(CACHE_FORMS);
  const model = name.slice('max_wrong_rate:'.length);
  if (model === '') return (current) => said({ ...current, semantic: orNothing({ ...current.semantic, max_wrong_rate: rate }) });
  return (current) => {
    const { [model]: _, ...others } = current.semantic?.max_wrong_rates ?? {};
    return said({ ...current, semantic: orNothing({ ...current.semantic, max_wrong_rates: orNothing(rate === undefined ? others : { ...others, [model]: rate }) }) });
  };
}

/** `max_output_tokens=4000`, `over_output=clamp`; `default` in place of the value leaves it to deja.yaml. */
export function parseValidation(text: string): Change<Validation> {
  const [, name = '', value = ''] = /^([a-z_]+)=(.+)$/.exec(text) ?? [];
  if (name === 'over_output') {
    const over = value === 'default' ? undefined : oneOf(value, ['refuse', 'clamp'] as const, VALIDATION_FORMS);
    return (current) => said({ ...current, over_output: over });
  }
  const member = oneOf(name, COUNTS, VALIDATION_FORMS);
  if (value !== 'default' && !/^\d{1,12}$/.test(value)) throw new InvalidArgumentError(VALIDATION_FORMS);
  return (current) => said({ ...current, [member]: value === 'default' ? undefined : Number(value) });
}

/** As `parseCache` reads it. */
export function cacheWords({ scope, exact, semantic }: CachePolicy): string[] {
  const part = (name: string, of: CachePolicy['exact']): string[] => [
    ...(of?.enabled === undefined ? [] : [`${name}=${of.enabled ? 'on' : 'off'}`]),
    ...(of?.ttl_s === undefined ? [] : [`${name}_ttl=${secondsWords(of.ttl_s)}`]),
  ];
  const { verification, max_wrong_rate: rate, max_wrong_rates: rates = {} } = semantic ?? {};
  return [
    ...(scope === undefined ? [] : [`scope=${scope}`]),
    ...part('exact', exact),
    ...part('semantic', semantic),
    ...(verification === undefined ? [] : [`verification=${verification}`]),
    ...(rate === undefined ? [] : [`max_wrong_rate=${rate}`]),
    ...Object.entries(rates).map(([model, share]) => `max_wrong_rate:${model}=${share}`),
  ];
}

/** As `parseValidation` reads it. */
export const validationWords = (given: Validation): string[] => Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));

function oneOf<T extends string>(value: string, known: readonly T[], message: string): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new InvalidArgumentError(message);
  return found;
}

const said = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;

function orNothing<T extends object>(value: T): T | undefined {
  const rest = said(value);
  return Object.keys(rest).length === 0 ? undefined : rest;
}
